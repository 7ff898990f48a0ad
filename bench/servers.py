"""What is measured: the service on a database full of idle instances, and the yardstick."""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from sqlalchemy import insert, text

from app.domain.model import DEFAULT_POOL, InstanceState
from app.registry.database import open_database
from app.registry.schema import instances

START_WITHIN = 30.0

_KEPT = {
    "sqlite": {
        "version": "SELECT sqlite_version()",
        "journal_mode": "PRAGMA journal_mode",
        "synchronous": "SELECT 'FULL' FROM pragma_synchronous WHERE synchronous = 2",
    },
    "postgresql": {
        "version": "SHOW server_version",
        "fsync": "SHOW fsync",
        "synchronous_commit": "SHOW synchronous_commit",
    },
}
"""What each database is asked about itself."""


@contextmanager
def services(count: int, database: str) -> Iterator[tuple[int, ...]]:
    """Run replicas as `make serve` does, without a poller, without a token, their log thrown away.

    Yields their ports.
    """
    with _several(count, "wsgi:app", **_settings(database)) as ports:
        yield ports


@contextmanager
def one_service(database: str) -> Iterator[tuple[int, int]]:
    """Run one such replica, which misses no pass; yields its port, and the id of its worker's parent."""
    port = free_port()
    with _gunicorn(port, "wsgi:app", **_settings(database), ORCHESTRATOR_POLL_INTERVAL="3600") as process:
        yield port, process


@contextmanager
def yardsticks(count: int) -> Iterator[tuple[int, ...]]:
    """Run the bare route under the same gunicorn; yields the ports."""
    bare = ("--config", "bench/bare_gunicorn.py", "--log-level", "warning", "bench.bare:app")
    with _several(count, *bare) as ports:
        yield ports


def fill(database: str, count: int, now: datetime) -> dict[str, str]:
    """Make a registry with so many idle instances, each idle since a moment of its own.

    Returns what the database is, and how it keeps its promises.
    """
    engine = open_database(database)
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
        if engine.name == "postgresql":
            connection.execute(text("ANALYZE"))  # which it does by itself, a minute later
    with engine.connect() as connection:
        kept = {name: connection.execute(text(ask)).scalar_one() for name, ask in _KEPT[engine.name].items()}
    engine.dispose()
    return {name: str(value) for name, value in kept.items()}


def free_port() -> int:
    """Find a port that nobody holds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _settings(database: str) -> dict[str, str]:
    return {
        "ORCHESTRATOR_DATABASE_URL": database,
        "ORCHESTRATOR_POLLER": "off",
        "ORCHESTRATOR_AUTH": "off",
        "ORCHESTRATOR_LOG_FORMAT": "json",
    }


@contextmanager
def _several(count: int, *arguments: str, **settings: str) -> Iterator[tuple[int, ...]]:
    ports = tuple(free_port() for _ in range(count))
    with ExitStack() as all_of_them:
        for port in ports:
            all_of_them.enter_context(_gunicorn(port, *arguments, **settings))
        yield ports


@contextmanager
def _gunicorn(port: int, *arguments: str, **settings: str) -> Iterator[int]:
    environment = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - a child process needs PATH and the like
        if not name.startswith(("AWS_", "ORCHESTRATOR_", "GUNICORN_"))
    }
    environment |= {"ORCHESTRATOR_ENV_FILE": "", "ORCHESTRATOR_BIND": f"127.0.0.1:{port}", **settings}
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--workers", "1", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait(server, port)
        yield server.pid
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
