"""The Tokens contract on SQLite, on real PostgreSQL, and in memory."""

from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, select, text

from app.domain.errors import NameTaken, RegistryUnavailable
from app.ports import Tokens
from app.registry.schema import events
from app.registry.tokens import SqlTokens
from app.registry.transactions import Transactions
from tests.contract.tokens_contract import LATER, TokensContract, a_token
from tests.fakes import FakeTokens


class TestSqlTokens(TokensContract):
    @pytest.fixture
    def tokens(self, engine: Engine) -> Tokens:
        return SqlTokens(Transactions(engine))

    def test_who_made_and_revoked_a_token_stands_in_the_audit_trail_for_all_pools(
        self, tokens: Tokens, engine: Engine
    ) -> None:
        tokens.add(a_token(expires_at=LATER))
        tokens.revoke("ci", actor="cli:bob", now=LATER)

        with engine.connect() as connection:
            columns = (events.c.kind, events.c.pool, events.c.actor, events.c.reason)
            found = connection.execute(select(*columns).order_by(events.c.id)).all()
        assert [tuple(row) for row in found] == [
            ("token.created", "*", "cli:ann", f"ci, allocator, until {LATER.isoformat(timespec='seconds')}"),
            ("token.revoked", "*", "cli:bob", "ci"),
        ]

    def test_what_was_refused_leaves_no_line_in_the_audit_trail(self, tokens: Tokens, engine: Engine) -> None:
        tokens.add(a_token(1))
        with pytest.raises(NameTaken):
            tokens.add(a_token(2))

        with engine.connect() as connection:
            assert len(connection.execute(select(events)).all()) == 1

    def test_an_id_that_is_given_already_is_no_taken_name(self, tokens: Tokens) -> None:
        """It happens once in four billion: the next try has another one."""
        tokens.add(a_token(1))

        with pytest.raises(RegistryUnavailable):
            tokens.add(a_token(1, name="other"))
        assert [token.name for token in tokens.listed()] == ["ci"]

    def test_of_racing_tokens_of_one_name_one_is_kept(self, tokens: Tokens) -> None:
        start, kept, refused = Barrier(4), list[int](), list[int]()

        def race(number: int) -> None:
            start.wait()
            try:
                tokens.add(a_token(number))
                kept.append(number)
            except NameTaken:
                refused.append(number)

        threads = [Thread(target=race, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert (len(kept), len(refused)) == (1, 3)
        assert set(tokens.standing()) == {a_token(kept[0]).id}

    def test_a_database_that_does_not_answer_is_told_in_our_words(
        self, tokens: Tokens, engine: Engine
    ) -> None:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE tokens"))

        with pytest.raises(RegistryUnavailable):
            tokens.standing()
        with pytest.raises(RegistryUnavailable):
            tokens.note_used({a_token().id: LATER})


class TestFakeTokens(TokensContract):
    @pytest.fixture
    def tokens(self) -> Tokens:
        return FakeTokens()
