"""The Presence contract on SQLite, on real PostgreSQL, and in memory."""

from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, text

from app.domain.errors import RegistryUnavailable
from app.ports import Presence
from app.registry.presence import SqlPresence
from app.registry.transactions import Transactions
from tests.builders import NOW
from tests.contract.presence_contract import PresenceContract, a_replica
from tests.fakes import FakePresence


class TestSqlPresence(PresenceContract):
    @pytest.fixture
    def presence(self, engine: Engine) -> Presence:
        return SqlPresence(Transactions(engine))

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

        assert [replica.name for replica in presence.since(NOW)] == [f"replica {n}" for n in range(4)]

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
            presence.since(NOW)


class TestFakePresence(PresenceContract):
    @pytest.fixture
    def presence(self) -> Presence:
        return FakePresence()
