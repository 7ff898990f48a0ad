"""A registry's database that need not survive a power cut: thousands of examples would wait for the disk."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from app.registry.database import open_database
from tests.databases import a_registry_in


def open_quickly(folder: Path) -> Engine:
    """Open the database of this folder, a new one where there is none, and never wait for the disk."""
    if not (folder / "registry.db").exists():
        a_registry_in(folder)
    engine = open_database(f"sqlite:///{folder}/registry.db", connections=2)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    engine.dispose()  # the connection that opened it has the durable setting
    return engine
