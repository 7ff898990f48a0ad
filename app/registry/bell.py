"""How word gets from a replica that did something to the one that leads: NOTIFY, or a look."""

import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from selectors import EVENT_READ, DefaultSelector
from threading import Event, Lock, Thread
from typing import Any, cast

import psycopg
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.domain.model import PoolName

CHANNEL = "ec2_orchestrator"

# All in seconds.
LOOK = 1.0
"""How often the registry is looked at where NOTIFY brings word: it may get lost with a connection."""
GAP = 0.1
"""The least time from one NOTIFY to the next: a storm of claims makes ten a second."""
QUIET = 10.0
"""After so long without a word the connection is tried: a lost network says nothing."""
AGAIN = 1.0
"""How long to wait after a failure before another connection is made."""

log = structlog.get_logger()


Look = Callable[[], frozenset[PoolName]]
"""Names the pools of which the registry shows news since the last call; may raise RegistryUnavailable."""


class QuietBell:
    """The Bell port by looking: each change leaves a line in the audit trail, so ringing needs nothing."""

    def __init__(self, look: Look, *, monotonic: Callable[[], float], every: float = 0.0) -> None:
        """Look at most once in so many seconds; `monotonic` returns seconds that never jump."""
        self._look = look
        self._monotonic = monotonic
        self._every = every
        self._next_at = monotonic()

    def ring(self, pool: PoolName | None = None) -> None:
        """See Bell.ring."""

    def rang(self) -> frozenset[PoolName]:
        """See Bell.rang."""
        now = self._monotonic()
        if now < self._next_at:
            return frozenset()
        self._next_at = now + self._every
        return self._look()

    def close(self) -> None:
        """Nothing is open."""


class PostgresBell:
    """The Bell port by LISTEN and NOTIFY, on a connection of its own, in a thread of its own.

    NOTIFY is not part of the claim: transactions that notify queue at their commit, all of them, for one lock
    of the database (see PostgreSQL's async.c). The thread sends one for all that rang meanwhile, with the
    names of their pools, or none where all are meant. What is lost with a connection, or with a process
    between its commit and its NOTIFY, a look once a second makes up for.
    """

    def __init__(self, engine: Engine, look: QuietBell, pools: Collection[PoolName]) -> None:
        self._engine = engine
        self._look = look
        self._pools = frozenset(pools)
        self._lock = Lock()
        self._thread: Thread | None = None
        self._wishes: set[PoolName] = set()
        self._word: set[PoolName] = set()
        self._over = Event()
        self._inside, self._outside = socket.socketpair()
        self._inside.setblocking(False)

    def ring(self, pool: PoolName | None = None) -> None:
        """See Bell.ring."""
        self._start()
        with self._lock:
            awake = bool(self._wishes)
            self._wishes |= self._pools if pool is None else {pool}
        if not awake:
            self._poke()

    def rang(self) -> frozenset[PoolName]:
        """See Bell.rang."""
        self._start()
        with self._lock:
            word, self._word = self._word, set()
        return frozenset(word) or self._look.rang()

    def close(self) -> None:
        """Stop listening. What rang a moment ago may get lost: the look makes up for it."""
        self._over.set()
        self._poke()
        if self._thread is not None:
            self._thread.join(AGAIN)
        self._inside.close()
        self._outside.close()

    def _poke(self) -> None:
        with suppress(OSError):  # full: it is awake
            self._outside.send(b"!", socket.MSG_DONTWAIT)

    def _start(self) -> None:
        """Begin at the first use: before a fork no thread may run."""
        with self._lock:
            if self._thread is None and not self._over.is_set():
                self._thread = Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        silent = False
        while not self._over.is_set():
            try:
                with self._connection() as connection, DefaultSelector() as either:
                    either.register(connection, EVENT_READ)
                    either.register(self._inside, EVENT_READ)
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._hear(self._pools)  # what was sent before is lost
                    silent = False
                    while not self._over.is_set():
                        self._serve(connection, either)
            except (SQLAlchemyError, psycopg.Error, OSError, ValueError) as error:  # or it was closed
                if not silent and not self._over.is_set():
                    log.warning("bell.lost", detail=repr(error))
                silent = True
                self._over.wait(AGAIN)

    @contextmanager
    def _connection(self) -> "Iterator[psycopg.Connection[Any]]":
        pooled = self._engine.raw_connection()
        connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
        pooled.detach()  # it is none of those that requests share
        try:
            connection.autocommit = True
            yield connection
        finally:
            connection.close()

    def _serve(self, connection: "psycopg.Connection[Any]", either: DefaultSelector) -> None:
        """Wait for what comes from either side, and pass it on."""
        ready = either.select(QUIET)
        with suppress(BlockingIOError):
            self._inside.recv(1024)
        with self._lock:
            wishes, self._wishes = self._wishes, set()
        if wishes:
            # Of all, no names: a replica with other settings may have other pools.
            names = " ".join(sorted(wishes)) if wishes < self._pools else ""
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, names))
            self._over.wait(GAP)
        elif not ready:
            connection.execute("SELECT 1")
        for word in connection.notifies(timeout=0):
            self._hear(self._pools.intersection(word.payload.split()) if word.payload else self._pools)

    def _hear(self, pools: frozenset[PoolName]) -> None:
        with self._lock:
            self._word |= pools


def bell_of(
    engine: Engine, look: Look, pools: Collection[PoolName], monotonic: Callable[[], float]
) -> QuietBell | PostgresBell:
    """Choose the bell that fits the database."""
    if engine.dialect.name == "postgresql":
        return PostgresBell(engine, QuietBell(look, monotonic=monotonic, every=LOOK), pools)
    return QuietBell(look, monotonic=monotonic)
