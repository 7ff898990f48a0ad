"""What is measured: the service on a database full of idle instances, and the yardstick."""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, text

from app.domain.model import DEFAULT_POOL, InstanceState
from app.registry.database import open_database
from app.registry.schema import instances

START_WITHIN = 30.0


@contextmanager
def service(port: int, database: Path) -> Iterator[None]:
    """Run the service as `make serve` does, without a poller, without a token, its log thrown away."""
    settings = {
        "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{database}",
        "ORCHESTRATOR_POLLER": "off",
        "ORCHESTRATOR_AUTH": "off",
        "ORCHESTRATOR_LOG_FORMAT": "json",
    }
    with _gunicorn(port, "wsgi:app", **settings):
        yield


@contextmanager
def yardstick(port: int) -> Iterator[None]:
    """Run the bare route under the same gunicorn."""
    with _gunicorn(port, "--config", "bench/bare_gunicorn.py", "--log-level", "warning", "bench.bare:app"):
        yield


def fill(database: Path, count: int, now: datetime) -> dict[str, str]:
    """Make a registry with so many idle instances, each idle since a moment of its own.

    Returns how the database keeps its promises: journal mode and synchronous.
    """
    engine = open_database(f"sqlite:///{database}")
    rows = [
        {
            "id": f"i-{hashlib.sha256(str(number).encode()).hexdigest()[:17]}",
            "pool": DEFAULT_POOL,
            "state": InstanceState.IDLE.value,
            "state_since": now - timedelta(milliseconds=count - number),
            "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "port": 8080,
            "ready_at": now + timedelta(hours=1),  # no poller runs here that would probe them all the time
        }
        for number in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(insert(instances), rows)
    with engine.connect() as connection:
        journal = connection.execute(text("PRAGMA journal_mode")).scalar_one()
        synchronous = connection.execute(text("PRAGMA synchronous")).scalar_one()
    engine.dispose()
    return {"journal_mode": str(journal), "synchronous": {2: "FULL"}.get(synchronous, str(synchronous))}


def free_port() -> int:
    """Find a port that nobody holds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _gunicorn(port: int, *arguments: str, **settings: str) -> Iterator[None]:
    environment = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - a child process needs PATH and the like
        if not name.startswith(("AWS_", "ORCHESTRATOR_", "GUNICORN_"))
    }
    environment |= {"ORCHESTRATOR_ENV_FILE": "", "ORCHESTRATOR_BIND": f"127.0.0.1:{port}", **settings}
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait(server, port)
        yield
    finally:
        server.terminate()
        server.wait(timeout=START_WITHIN)


def _wait(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_WITHIN
    while True:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("gunicorn did not start")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)  # noqa: TID251 - waits for another process
