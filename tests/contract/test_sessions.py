"""The SessionStore contract on SQLite, on real PostgreSQL, and in memory."""

import pytest
from sqlalchemy import Engine, select, text

from app.domain.errors import RegistryUnavailable
from app.ports import SessionStore
from app.registry.schema import sessions
from app.registry.sessions import SqlSessions
from app.registry.transactions import Transactions
from tests.builders import NOW
from tests.contract.sessions_contract import HOUR, SessionStoreContract, a_session
from tests.fakes import FakeSessions


class TestSqlSessions(SessionStoreContract):
    @pytest.fixture
    def store(self, engine: Engine) -> SessionStore:
        return SqlSessions(Transactions(engine))

    def test_what_is_forgotten_leaves_no_row(self, store: SessionStore, engine: Engine) -> None:
        store.add(a_session(1))
        store.add(a_session(2, begins=NOW + 2 * HOUR))

        with engine.connect() as connection:
            assert [row.digest for row in connection.execute(select(sessions))] == [a_session(2).digest]

    def test_a_digest_is_kept_once(self, store: SessionStore) -> None:
        store.add(a_session())

        with pytest.raises(RegistryUnavailable):
            store.add(a_session())

    def test_a_database_that_does_not_answer_is_told_in_our_words(
        self, store: SessionStore, engine: Engine
    ) -> None:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE sessions"))

        with pytest.raises(RegistryUnavailable):
            store.find(a_session().digest, now=NOW)
        with pytest.raises(RegistryUnavailable):
            store.add(a_session())
        with pytest.raises(RegistryUnavailable):
            store.end(a_session().digest)


class TestFakeSessions(SessionStoreContract):
    @pytest.fixture
    def store(self) -> SessionStore:
        return FakeSessions()
