"""What every implementation of the Tokens port promises."""

from datetime import datetime, timedelta

import pytest

from app.domain.access import Role, Token
from app.domain.errors import NameTaken, TokenNotFound
from app.ports import Tokens
from tests.builders import NOW

LATER = NOW + timedelta(minutes=1)


def a_token(
    number: int = 1, *, name: str = "ci", created_at: datetime = NOW, expires_at: datetime | None = None
) -> Token:
    return Token(
        id=f"{number:08x}",
        name=name,
        role=Role.ALLOCATOR,
        digest=f"{number:064x}",
        created_at=created_at,
        created_by="cli:ann",
        expires_at=expires_at,
    )


class TokensContract:
    """Subclasses give a fixture `tokens`, which has none yet."""

    def test_before_the_first_there_is_none(self, tokens: Tokens) -> None:
        assert tokens.standing() == {}
        assert list(tokens.listed()) == []

    def test_a_token_is_kept_as_it_was_given(self, tokens: Tokens) -> None:
        token = a_token(expires_at=LATER)

        tokens.add(token)

        assert tokens.standing() == {token.id: token}
        assert list(tokens.listed()) == [token]

    def test_an_expired_token_still_stands(self, tokens: Tokens) -> None:
        token = a_token(expires_at=NOW - timedelta(days=400))

        tokens.add(token)

        assert set(tokens.standing()) == {token.id}

    def test_a_name_is_given_once(self, tokens: Tokens) -> None:
        tokens.add(a_token(1))

        with pytest.raises(NameTaken):
            tokens.add(a_token(2))
        assert set(tokens.standing()) == {a_token(1).id}

    def test_a_revoked_token_does_not_stand_but_is_listed(self, tokens: Tokens) -> None:
        tokens.add(a_token())

        revoked = tokens.revoke("ci", actor="cli:bob", now=LATER)

        assert revoked.revoked_at == LATER
        assert tokens.standing() == {}
        assert list(tokens.listed()) == [revoked]

    def test_the_name_of_a_revoked_token_is_free_again(self, tokens: Tokens) -> None:
        tokens.add(a_token(1))
        tokens.revoke("ci", actor="cli:bob", now=LATER)

        tokens.add(a_token(2))

        assert set(tokens.standing()) == {a_token(2).id}

    def test_a_token_can_be_revoked_by_its_id(self, tokens: Tokens) -> None:
        tokens.add(a_token(1))
        tokens.add(a_token(2, name="other"))

        assert tokens.revoke(a_token(2).id, actor="cli:bob", now=LATER).name == "other"
        assert set(tokens.standing()) == {a_token(1).id}

    def test_a_name_counts_before_an_id_that_is_the_same(self, tokens: Tokens) -> None:
        tokens.add(a_token(1))
        tokens.add(a_token(2, name=a_token(1).id))

        assert tokens.revoke(a_token(1).id, actor="cli:bob", now=LATER).id == a_token(2).id

    @pytest.mark.parametrize("name", ["", "nobody", "CI", "%"])
    def test_what_is_not_in_force_cannot_be_revoked(self, tokens: Tokens, name: str) -> None:
        tokens.add(a_token())

        with pytest.raises(TokenNotFound):
            tokens.revoke(name, actor="cli:bob", now=LATER)
        assert len(tokens.standing()) == 1

    def test_a_token_is_revoked_once(self, tokens: Tokens) -> None:
        tokens.add(a_token())
        tokens.revoke("ci", actor="cli:bob", now=NOW)

        with pytest.raises(TokenNotFound):
            tokens.revoke("ci", actor="cli:bob", now=LATER)
        assert tokens.listed()[0].revoked_at == NOW

    def test_the_newest_is_listed_first(self, tokens: Tokens) -> None:
        tokens.add(a_token(1, name="old"))
        tokens.add(a_token(2, name="new", created_at=LATER))

        assert [token.name for token in tokens.listed()] == ["new", "old"]

    def test_the_last_use_is_noted_for_each(self, tokens: Tokens) -> None:
        tokens.add(a_token(1))
        tokens.add(a_token(2, name="other"))
        tokens.add(a_token(3, name="unused"))

        tokens.note_used({a_token(1).id: NOW, a_token(2).id: LATER})

        assert {token.name: token.last_used_at for token in tokens.listed()} == {
            "ci": NOW,
            "other": LATER,
            "unused": None,
        }

    def test_an_earlier_use_that_is_noted_late_changes_nothing(self, tokens: Tokens) -> None:
        tokens.add(a_token())
        tokens.note_used({a_token().id: LATER})

        tokens.note_used({a_token().id: NOW})

        assert tokens.standing()[a_token().id].last_used_at == LATER

    def test_the_use_of_an_unknown_token_and_of_none_is_no_matter(self, tokens: Tokens) -> None:
        tokens.note_used({})
        tokens.note_used({a_token().id: NOW})

        assert tokens.standing() == {}
