"""A registry's database that need not survive a power cut: thousands of examples would wait for the disk."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, event

from app.registry.database import open_database


def open_quickly(folder: Path) -> Engine:
    """Open the database of this folder, a new one where there is none, and never wait for the disk."""
    file = folder / "registry.db"
    if not file.exists():
        file.write_bytes(_a_new_one())
    engine = open_database(f"sqlite:///{folder}/registry.db", connections=2)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    engine.dispose()  # the connection that opened it has the durable setting
    return engine


@cache
def _a_new_one() -> bytes:
    """Make a database once: to make its tables takes longer than most examples."""
    with TemporaryDirectory(prefix="registry-") as folder:
        open_database(f"sqlite:///{folder}/registry.db").dispose()
        return Path(folder, "registry.db").read_bytes()
