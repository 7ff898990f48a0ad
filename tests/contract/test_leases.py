"""The Leases contract on SQLite, on real PostgreSQL, and in memory; and what each adds to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text, update

from app.domain.errors import RegistryUnavailable
from app.domain.events import EventKind
from app.ports import Leases
from app.registry.leases import SqlLeases
from app.registry.schema import events
from app.registry.schema import leases as lease_table
from app.registry.transactions import Transactions
from tests.contract.leases_contract import LONG, Another, LeasesContract, expired, taken
from tests.databases import open_patiently
from tests.fakes import FakeLeases

A_BIT = timedelta(seconds=1)
"""By which two clocks of one machine may be apart, as they are rounded."""


class TestSqlLeases(LeasesContract):
    @pytest.fixture
    def another(self, registry_url: str) -> Iterator[Another]:
        """As another process would have it: on an engine of its own."""
        engines: list[Engine] = []

        def make() -> Leases:
            engines.append(open_patiently(registry_url))
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
            connection.execute(update(lease_table).values(expires_at=datetime(2001, 1, 1, tzinfo=UTC)))

        assert expired(another())
        assert taken(another(), "b").term == 2

    def test_since_is_now_by_the_databases_clock(self, another: Another) -> None:
        before = datetime.now(UTC)  # noqa: TID251 - the same machine's clock
        since = taken(another(), "a").since
        after = datetime.now(UTC)  # noqa: TID251

        assert before - A_BIT < since < after + A_BIT

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
