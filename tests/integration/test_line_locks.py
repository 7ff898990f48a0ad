"""The lock of a line on PostgreSQL: who needs it, and what becomes of claims where somebody keeps it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest

from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.model import DEFAULT_POOL, ProjectId
from app.ports import RequestId
from app.registry.database import open_database
from app.registry.line import SqlLine
from app.registry.postgresql import Limits
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look

ALICE, BOB, CAROL = ProjectId("alice"), ProjectId("bob"), ProjectId("carol")
SOON, LATE = 0.3, 60.0
"""Seconds after which those give up who are to want the lock, and those who are not."""


@dataclass
class Lines:
    registry: SqlRegistry
    line: SqlLine

    def idle(self, count: int) -> None:
        for _ in range(count):
            look = a_look()
            self.registry.discover(DEFAULT_POOL, look, now=NOW)
            self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)

    def claim(self, project: ProjectId) -> bool:
        since = NOW - timedelta(minutes=1)
        return self.registry.claim(DEFAULT_POOL, project, actor="tester", now=NOW, ready_since=since).created

    def enter(self, project: ProjectId) -> None:
        self.line.enter(DEFAULT_POOL, project, RequestId(project))


@contextmanager
def lines_whose_lock_is_kept(url: str, limits: Limits) -> Iterator[Lines]:
    """One whose lock somebody has, who does nothing any more; time stands still, so no place is over."""
    transactions = Transactions(open_database(url, limits=limits), clock=lambda _: NOW)
    lines = Lines(SqlRegistry(transactions), SqlLine(transactions))
    lines.enter(ALICE)
    lines.enter(BOB)
    with psycopg.connect(url.replace("+psycopg", "")) as holder:
        holder.execute(f"SELECT pg_advisory_xact_lock(hashtextextended('line of {DEFAULT_POOL}', 0))")
        yield lines
    transactions.close()


@pytest.fixture
def lines(a_postgres_registry: Callable[[], str]) -> Iterator[Lines]:
    with lines_whose_lock_is_kept(a_postgres_registry(), Limits(lock=SOON)) as lines:
        yield lines


def test_who_stands_first_needs_no_lock(lines: Lines) -> None:
    lines.idle(1)

    assert lines.claim(ALICE)


def test_for_whom_there_is_nothing_learns_that_without_the_lock(
    a_postgres_registry: Callable[[], str],
) -> None:
    patient = Limits(lock=LATE, statement=None, silence=None)
    with lines_whose_lock_is_kept(a_postgres_registry(), patient) as lines:
        lines.idle(1)
        began = time.monotonic()

        with pytest.raises(PoolExhausted):
            lines.claim(CAROL)

    assert time.monotonic() - began < LATE


def test_who_stands_nowhere_is_refused_where_the_lock_is_not_to_be_had(lines: Lines) -> None:
    lines.idle(5)

    with pytest.raises(PoolExhausted):
        lines.claim(CAROL)

    assert lines.registry.waiting(DEFAULT_POOL, now=NOW) == 1


def test_who_stands_in_line_is_not_sent_away_for_it(lines: Lines) -> None:
    lines.idle(5)

    with pytest.raises(RegistryUnavailable):
        lines.claim(BOB)
