"""The Leases contract on SQLite, on real PostgreSQL, and in memory; and what each adds to it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from app.domain.errors import RegistryUnavailable
from app.ports import EventKind, Leases
from app.registry.database import open_database
from app.registry.leases import SqlLeases
from app.registry.schema import events
from app.registry.transactions import Transactions
from tests.contract.leases_contract import LONG, Another, LeasesContract, expired, taken
from tests.fakes import FakeLeases
from tests.waiting import until


class TestSqlLeases(LeasesContract):
    @pytest.fixture
    def another(self, database_url: str) -> Iterator[Another]:
        """As another process would have it: on an engine of its own."""
        engines: list[Engine] = []

        def make() -> Leases:
            engines.append(open_database(database_url))
            return SqlLeases(Transactions(engines[-1]))

        yield make
        for engine in engines:
            engine.dispose()

    def test_each_term_stands_in_the_audit_trail(self, another: Another, engine: Engine) -> None:
        leases = another()
        lease = taken(leases, "a")
        leases.resign(lease)
        taken(another(), "b")
        another().take("c", LONG)

        with engine.connect() as connection:
            found = connection.execute(select(events.c.kind, events.c.actor, events.c.reason)).all()

        elected = EventKind.LEADER_ELECTED.value
        assert [tuple(row) for row in found] == [(elected, "a", "term 1"), (elected, "b", "term 2")]

    def test_the_clock_is_the_databases(self, another: Another, engine: Engine) -> None:
        """Nobody else's could know that the term has ended: nothing but the row was changed."""
        taken(another(), "a")
        with engine.begin() as connection:
            past = datetime(2001, 1, 1, tzinfo=UTC).isoformat(sep=" ")
            connection.execute(text("UPDATE leases SET expires_at = :past"), {"past": past})

        assert expired(another())
        assert taken(another(), "b").term == 2

    def test_since_is_now_by_the_databases_clock(self, another: Another) -> None:
        ago = datetime.now(UTC) - taken(another(), "a").since  # noqa: TID251 - the same machine's clock

        assert abs(ago) < timedelta(seconds=5)

    def test_a_database_that_does_not_answer_is_told_in_our_words(
        self, another: Another, engine: Engine
    ) -> None:
        leases = another()
        lease = taken(leases, "a")
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE leases"))

        calls: list[Callable[[], object]] = [
            lambda: leases.take("a", LONG),
            lambda: leases.renew(lease, LONG),
            lambda: leases.resign(lease),
            lambda: leases.holds(lease),
            leases.leader,
        ]
        for call in calls:
            with pytest.raises(RegistryUnavailable):
                call()


class TestFakeLeases(LeasesContract):
    @pytest.fixture
    def another(self) -> Another:
        leases = FakeLeases()
        return lambda: leases


# Where a process is gone, on one machine


LEAD = """
import sys
from datetime import timedelta
from app.registry.database import open_database
from app.registry.leases import SqlLeases
from app.registry.transactions import Transactions
leases = SqlLeases(Transactions(open_database(sys.argv[1])))
print(leases.take("other process", timedelta(hours=1)), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that leads for an hour, on a file that both know."""
    process = subprocess.Popen(
        [sys.executable, "-c", LEAD, f"sqlite:///{tmp_path}/registry.db"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    with process:
        assert "other process" in process.stdout.readline()
        yield process
        if process.poll() is None:
            os.kill(process.pid, signal.SIGCONT)
            process.stdin.close()


@pytest.fixture
def ours(tmp_path: Path, other_process: object) -> Iterator[SqlLeases]:
    engine = open_database(f"sqlite:///{tmp_path}/registry.db")
    yield SqlLeases(Transactions(engine))
    engine.dispose()


def test_a_killed_leader_of_this_machine_is_followed_at_once(
    ours: SqlLeases, other_process: "subprocess.Popen[str]"
) -> None:
    assert ours.take("ours", LONG) is None

    other_process.kill()
    other_process.wait()

    assert taken(ours, "ours").term == 2


def test_a_leader_that_stands_still_leads_until_its_term_expires(
    ours: SqlLeases, other_process: "subprocess.Popen[str]"
) -> None:
    os.kill(other_process.pid, signal.SIGSTOP)

    assert ours.take("ours", LONG) is None


def test_without_its_file_a_killed_leaders_term_runs_until_it_expires(
    ours: SqlLeases, other_process: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    next(tmp_path.glob("registry.db-term-1-*")).unlink()
    other_process.kill()
    other_process.wait()

    assert ours.take("ours", LONG) is None


def test_a_candidate_that_was_killed_on_its_way_makes_no_leader_look_dead(
    ours: SqlLeases, other_process: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    (tmp_path / "registry.db-term-2-late").touch()  # nobody holds it any more, and the term is another's
    other_process.kill()
    other_process.wait()
    late = SqlLeases(Transactions(open_database(f"sqlite:///{tmp_path}/registry.db")))
    lease = taken(ours, "ours")

    assert late.take("late", LONG) is None
    assert ours.holds(lease)
    assert late.take("late", LONG) is None


def test_no_file_is_left_of_a_term_that_was_resigned(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/registry.db")
    leases = SqlLeases(Transactions(engine))
    for _ in range(3):
        leases.resign(taken(leases, "a"))
    engine.dispose()

    assert not list(tmp_path.glob("*-term-*"))


def test_files_of_terms_that_were_killed_are_cleared_away(
    ours: SqlLeases, other_process: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    other_process.kill()
    other_process.wait()

    taken(ours, "ours")

    assert [path.name for path in tmp_path.glob("*-term-*")] == ["registry.db-term-2-ours"]


def test_the_end_of_a_term_by_its_process_needs_no_clock(
    ours: SqlLeases, other_process: "subprocess.Popen[str]"
) -> None:
    """A leader of an hour is followed at once, and its own lease is worth nothing any more."""
    before = ours.leader()
    assert before is not None
    other_process.kill()
    until(lambda: ours.take("ours", LONG) is not None)

    assert not ours.renew(before, LONG)
