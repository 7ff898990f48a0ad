"""What is measured: the service on a database full of idle instances, and what stands beside it."""

import hashlib
import http.client
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import IO

from sqlalchemy import insert, text

from app.bootstrap.clock import SystemClock
from app.domain.access import Role
from app.domain.model import DEFAULT_POOL, InstanceState
from app.registry.database import open_database
from app.registry.schema import instances
from app.registry.tokens import SqlTokens
from app.registry.transactions import Transactions
from app.service.tokens import TokenDesk
from tests.ports import a_port

START_WITHIN = 60.0
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

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


@dataclass(frozen=True)
class Server:
    """One gunicorn that answers, with one worker."""

    port: int
    master: int
    """The process that has started the worker."""
    log: Path
    """What it writes on standard output: of the service, a JSON object each line."""
    token: str = field(default="", repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """What a request needs to be let in. The bare route is sent the same, and does not look."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@contextmanager
def service(
    home: Path,
    database: str,
    *,
    ready: bool = True,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> Iterator[Server]:
    """Run the service as `make serve` does: guarded by tokens, counted, with a line of its log a request.

    The poller is off, and the pool has no cloud, unless `settings`, which are environment variables, say so.
    Yields as soon as it answers; without `ready`, as soon as the process is there.
    """
    with _gunicorn(
        home,
        ("wsgi:app",),
        {
            "ORCHESTRATOR_DATABASE_URL": database,
            "ORCHESTRATOR_POLLER": "off",
            "ORCHESTRATOR_AUTH": "on",
            "ORCHESTRATOR_LOG_FORMAT": "json",
            **settings,
        },
        token=a_token(database),
        ready=ready,
    ) as running:
        yield running


@contextmanager
def yardstick(
    home: Path, application: str = "bench.bare:app", options: Sequence[str] = ()
) -> Iterator[Server]:
    """Run the bare route, or a rival, under the same gunicorn; `options` of its command line go first."""
    arguments = ("--config", "bench/bare_gunicorn.py", "--log-level", "warning")
    with _gunicorn(home, (*arguments, *options, application), NO_SETTINGS) as running:
        yield running


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


def a_token(database: str) -> str:
    """Have a token made that may do everything; return what its holder sends."""
    transactions = Transactions(open_database(database))
    desk = TokenDesk(tokens=SqlTokens(transactions), clock=SystemClock(), chance=secrets.token_bytes)
    name = f"bench-{secrets.token_hex(4)}"
    _, written = desk.create(name, Role.ADMIN, ttl=None, actor="cli:bench")
    transactions.close()
    return written


@contextmanager
def _gunicorn(
    home: Path,
    arguments: tuple[str, ...],
    settings: Mapping[str, str],
    *,
    token: str = "",
    ready: bool = True,
) -> Iterator[Server]:
    environment = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - a child process needs PATH and the like
        if not name.startswith(("AWS_", "ORCHESTRATOR_", "GUNICORN_", "WEB_CONCURRENCY"))
    }
    with a_port() as port, (home / f"{port}.log").open("wb") as output:
        environment |= {"ORCHESTRATOR_ENV_FILE": "", "ORCHESTRATOR_BIND": f"127.0.0.1:{port}", **settings}
        command = (sys.executable, "-m", "gunicorn", "--workers", "1", *arguments)
        with process(command, env=environment, stdout=output) as server:
            if ready:
                _wait(server, port)
            yield Server(port, server.pid, Path(output.name), token)


@contextmanager
def process(
    command: tuple[str, ...], *, env: Mapping[str, str], stdout: IO[bytes] | int
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a program as long as the block runs; it is asked to end then, and ended if it does not."""
    running = subprocess.Popen(command, env=dict(env), stdout=stdout)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(timeout=START_WITHIN)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _wait(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_WITHIN
    while not _answers(port):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no answer from {' '.join(map(str, server.args))}")  # type: ignore[arg-type]
        time.sleep(0.05)  # noqa: TID251 - waits for another process


def _answers(port: int) -> bool:
    """Whether a worker answers; the socket alone is open before any has loaded the application."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_WITHIN)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
