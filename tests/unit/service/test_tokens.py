"""The desk: what a token is made of, and what is kept of it."""

import re
import secrets
from datetime import timedelta
from hashlib import sha256

import pytest

from app.domain.access import Role
from app.domain.errors import InvalidTokenName, NameTaken, TokenNotFound
from app.service.tokens import TokenDesk
from tests.builders import NOW
from tests.fakes import FakeClock, FakeTokens


@pytest.fixture
def tokens() -> FakeTokens:
    return FakeTokens()


@pytest.fixture
def desk(tokens: FakeTokens) -> TokenDesk:
    return TokenDesk(tokens=tokens, clock=FakeClock(), chance=secrets.token_bytes)


def test_a_token_says_what_it_is_and_which_and_then_its_secret(desk: TokenDesk) -> None:
    token, written = desk.create("ci", Role.VIEWER, ttl=None, actor="cli:ann")

    assert re.fullmatch(rf"eco_{token.id}_[A-Za-z0-9_-]{{43}}", written)
    assert re.fullmatch(r"[0-9a-f]{8}", token.id)


def test_of_the_secret_only_a_hash_is_kept_and_that_is_not_shown(desk: TokenDesk, tokens: FakeTokens) -> None:
    _, written = desk.create("ci", Role.VIEWER, ttl=None, actor="cli:ann")
    (kept,) = tokens.listed()
    secret = written.split("_", 2)[2]

    assert kept.digest == sha256(secret.encode()).hexdigest()
    assert secret not in repr(kept)
    assert kept.digest not in repr(kept)


def test_who_made_it_when_and_until_when_is_kept(desk: TokenDesk, tokens: FakeTokens) -> None:
    desk.create("ci", Role.ALLOCATOR, ttl=timedelta(days=90), actor="cli:ann")
    (kept,) = tokens.listed()

    assert (kept.name, kept.role, kept.created_by) == ("ci", Role.ALLOCATOR, "cli:ann")
    assert (kept.created_at, kept.expires_at) == (NOW, NOW + timedelta(days=90))


def test_no_two_tokens_are_alike(desk: TokenDesk) -> None:
    written = {desk.create(f"t{n}", Role.VIEWER, ttl=None, actor="a")[1] for n in range(50)}

    assert len({text[4:12] for text in written}) == len({text[13:] for text in written}) == 50


@pytest.mark.parametrize(
    "name", ["a", "ci", "Grafana-2.prod_eu", "9", "x" * 63, "abcdef0", "ABCDEF01", "team-abcdef01"]
)
def test_what_can_be_typed_names_a_token(desk: TokenDesk, name: str) -> None:
    assert desk.create(name, Role.VIEWER, ttl=None, actor="a")[0].name == name


@pytest.mark.parametrize("name", ["", "a b", "x" * 64, "-rf", ".hidden", "_x", "a/b", "ü", "a\n", "a:b"])
def test_anything_else_does_not(desk: TokenDesk, tokens: FakeTokens, name: str) -> None:
    with pytest.raises(InvalidTokenName):
        desk.create(name, Role.VIEWER, ttl=None, actor="a")
    assert not tokens.listed()


def test_what_could_be_the_id_of_another_token_is_no_name(desk: TokenDesk, tokens: FakeTokens) -> None:
    """It would be revoked in place of that one."""
    other, _ = desk.create("other", Role.VIEWER, ttl=None, actor="a")

    with pytest.raises(InvalidTokenName, match="id"):
        desk.create(other.id, Role.VIEWER, ttl=None, actor="a")
    assert len(tokens.listed()) == 1


def test_an_expired_token_keeps_its_name_until_it_is_revoked(tokens: FakeTokens) -> None:
    clock = FakeClock()
    desk = TokenDesk(tokens=tokens, clock=clock, chance=secrets.token_bytes)
    desk.create("ci", Role.VIEWER, ttl=timedelta(seconds=1), actor="a")
    clock.advance(60)

    with pytest.raises(NameTaken):
        desk.create("ci", Role.VIEWER, ttl=None, actor="a")

    desk.revoke("ci", actor="a")
    desk.create("ci", Role.VIEWER, ttl=None, actor="a")


def test_a_token_is_revoked_by_name_or_id(desk: TokenDesk, tokens: FakeTokens) -> None:
    desk.create("one", Role.VIEWER, ttl=None, actor="a")
    two, _ = desk.create("two", Role.VIEWER, ttl=None, actor="a")

    assert desk.revoke("one", actor="a").revoked_at == NOW
    assert desk.revoke(two.id, actor="a").name == "two"
    assert not tokens.standing()


def test_what_is_not_there_cannot_be_revoked(desk: TokenDesk) -> None:
    with pytest.raises(TokenNotFound):
        desk.revoke("nobody", actor="a")
