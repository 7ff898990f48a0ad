"""The Presence contract on SQLite, on real PostgreSQL, and in memory."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, select, text, update

from app.domain.errors import RegistryUnavailable
from app.ports import Presence
from app.registry.presence import SqlPresence
from app.registry.schema import replicas
from app.registry.transactions import Transactions
from tests.contract.presence_contract import HOUR, PresenceContract, a_replica, told
from tests.fakes import FakeClock, FakePresence


class TestSqlPresence(PresenceContract):
    @pytest.fixture
    def presence(self, engine: Engine) -> Presence:
        self.engine = engine
        return SqlPresence(Transactions(engine))

    def pass_time(self, presence: Presence, by: timedelta) -> None:
        with self.engine.begin() as connection:
            for name, seen_at in connection.execute(select(replicas.c.name, replicas.c.seen_at)).all():
                row = update(replicas).where(replicas.c.name == name)
                connection.execute(row.values(seen_at=seen_at - by))

    def test_of_replicas_that_start_together_none_is_missed(self, presence: Presence) -> None:
        start = Barrier(4)

        def begin(number: int) -> None:
            start.wait()
            presence.note(a_replica(f"replica {number}"))

        threads = [Thread(target=begin, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [replica.name for replica in told(presence)] == [f"replica {n}" for n in range(4)]

    def test_a_database_that_does_not_answer_is_told_in_our_words(
        self, presence: Presence, engine: Engine
    ) -> None:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE replicas"))

        with pytest.raises(RegistryUnavailable):
            presence.note(a_replica())
        with pytest.raises(RegistryUnavailable):
            presence.forget(a_replica().name)
        with pytest.raises(RegistryUnavailable):
            presence.lately(HOUR)


class TestFakePresence(PresenceContract):
    @pytest.fixture
    def presence(self) -> Presence:
        self.clock = FakeClock()
        return FakePresence(self.clock.now)

    def pass_time(self, presence: Presence, by: timedelta) -> None:
        self.clock.advance(by)
