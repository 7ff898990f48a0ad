"""Sessions: a token in another dress, and never more than that."""

from datetime import timedelta

import pytest

from app.domain.access import Role, Session
from app.domain.errors import RegistryUnavailable, TooManyAttempts, Unauthenticated
from app.service.access import Gate, digest_of
from app.service.attempts import ALLOWED, Attempts
from app.service.sessions import LASTS, Opened, Sessions
from app.service.standing import LIMIT, Standing
from tests.fakes import FakeSessions
from tests.unit.service.doors import ADMIN_TOKEN, HERE, THERE, UNKNOWN, Door

SECOND = timedelta(seconds=1)


class Hall:
    """A door with sessions behind it."""

    def __init__(self, *, admin: bool = False) -> None:
        self.door = Door(admin=admin)
        self.store = FakeSessions()
        self._drawn = 1000
        self.sessions = self.behind(self.door.gate)

    def behind(self, gate: Gate) -> Sessions:
        return Sessions(store=self.store, gate=gate, clock=self.door.clock, chance=self._chance)

    def log_in(self, name: str = "ann", role: Role = Role.ADMIN, ttl: timedelta | None = None) -> Opened:
        return self.sessions.log_in(self.door.token(name, role, ttl), HERE)

    def actor(self, cookie: str | None) -> str | None:
        found = self.sessions.identity(cookie)
        return None if found is None else found.actor

    def kept(self, cookie: str) -> Session:
        found = self.store.find(digest_of(cookie), now=self.door.clock.now())
        assert found is not None
        return found

    def after_a_restart_with(self, admin_token: str | None) -> Sessions:
        """The same database, and other settings."""
        door = self.door
        standing = Standing(door.tokens, monotonic=door.watch)
        attempts = Attempts(monotonic=door.watch)
        return self.behind(
            Gate(
                standing=standing,
                uses=door.uses,
                attempts=attempts,
                clock=door.clock,
                admin_token=admin_token,
            )
        )

    def _chance(self, size: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(size, "big")


@pytest.fixture
def hall() -> Hall:
    return Hall()


# What a session is


def test_a_session_has_the_name_and_the_role_of_its_token(hall: Hall) -> None:
    opened = hall.log_in("ann", Role.ALLOCATOR)

    identity = hall.sessions.identity(opened.cookie)

    assert identity == opened.identity
    assert (opened.identity.actor, opened.identity.role) == ("token:ann", Role.ALLOCATOR)


def test_with_the_admin_token_of_the_settings_one_is_admin() -> None:
    hall = Hall(admin=True)

    assert hall.actor(hall.sessions.log_in(ADMIN_TOKEN, HERE).cookie) == "admin"


def test_each_session_has_a_cookie_of_its_own(hall: Hall) -> None:
    token = hall.door.token()

    first, second = hall.sessions.log_in(token, HERE), hall.sessions.log_in(token, HERE)

    assert first.cookie != second.cookie
    assert len(first.cookie) == 43  # 256 bits


def test_neither_the_cookie_nor_the_token_is_kept(hall: Hall) -> None:
    token = hall.door.token()
    cookie = hall.sessions.log_in(token, HERE).cookie

    kept = hall.kept(cookie)

    told = f"{kept.digest} {kept.credential}"
    assert cookie not in told
    assert token[13:] not in told
    assert cookie not in repr(hall.sessions.log_in(token, HERE)) + repr(kept)


def test_the_admin_token_cannot_be_guessed_from_what_is_kept() -> None:
    """It may be weak: what is kept of it is made with the cookie, and so is different each time."""
    hall = Hall(admin=True)
    first, second = (hall.kept(hall.sessions.log_in(ADMIN_TOKEN, HERE).cookie) for _ in range(2))

    assert first.credential != second.credential
    assert digest_of(ADMIN_TOKEN) not in first.credential + second.credential


@pytest.mark.parametrize(
    "cookie", [None, "", "x", "x" * 43, "x" * 100_000, "\xe4" * 43, f"{'x' * 42}\n", "'"]
)
def test_any_other_cookie_is_nobodys(hall: Hall, cookie: str | None) -> None:
    hall.log_in()

    assert hall.actor(cookie) is None


def test_what_cannot_be_a_cookie_of_ours_costs_no_look(hall: Hall) -> None:
    hall.actor("x" * 100_000)

    assert hall.store.reads == 0


def test_what_is_kept_opens_nothing(hall: Hall) -> None:
    """Who reads the database finds no cookie in it."""
    kept = hall.kept(hall.log_in().cookie)

    assert hall.actor(kept.digest) is None
    assert hall.actor(kept.digest[:43]) is None
    assert hall.actor(kept.credential) is None


# Who gets none


@pytest.mark.parametrize("token", [UNKNOWN, "", "x", "a token", "\x00", "ä" * 20, "Bearer x", ADMIN_TOKEN])
def test_without_a_good_token_there_is_no_session(hall: Hall, token: str) -> None:
    with pytest.raises(Unauthenticated):
        hall.sessions.log_in(token, HERE)


def test_an_expired_token_opens_none_and_the_reason_is_told(hall: Hall) -> None:
    token = hall.door.token(ttl=SECOND)
    hall.door.clock.advance(1)

    with pytest.raises(Unauthenticated, match="'ci' expired at"):
        hall.sessions.log_in(token, HERE)


def test_who_guesses_has_to_wait_as_with_the_header() -> None:
    hall = Hall(admin=True)
    for _ in range(ALLOWED):
        with pytest.raises(Unauthenticated):
            hall.sessions.log_in(UNKNOWN, HERE)

    for guess in (UNKNOWN, ADMIN_TOKEN):
        with pytest.raises(TooManyAttempts):
            hall.sessions.log_in(guess, HERE)
    assert hall.sessions.log_in(ADMIN_TOKEN, THERE).identity.actor == "admin"


def test_guesses_in_the_form_and_in_the_header_count_together() -> None:
    hall = Hall(admin=True)
    for _ in range(ALLOWED // 2):
        with pytest.raises(Unauthenticated):
            hall.sessions.log_in(UNKNOWN, HERE)
        with pytest.raises(Unauthenticated):
            hall.door.enter(UNKNOWN)

    with pytest.raises(TooManyAttempts):
        hall.sessions.log_in(ADMIN_TOKEN, HERE)


def test_without_the_database_nobody_logs_in() -> None:
    hall = Hall(admin=True)
    hall.store.away = True

    with pytest.raises(RegistryUnavailable):
        hall.sessions.log_in(ADMIN_TOKEN, HERE)


# When it ends


def test_it_lasts_a_working_day(hall: Hall) -> None:
    opened = hall.log_in()
    hall.door.clock.advance(LASTS - SECOND)
    before = hall.actor(opened.cookie)

    hall.door.clock.advance(SECOND)

    assert (before, hall.actor(opened.cookie)) == ("token:ann", None)
    assert opened.lasts == LASTS


def test_using_it_does_not_prolong_it(hall: Hall) -> None:
    opened = hall.log_in()
    for _ in range(12):
        hall.actor(opened.cookie)
        hall.door.clock.advance(timedelta(hours=1))

    assert hall.actor(opened.cookie) is None


def test_it_does_not_outlast_its_token(hall: Hall) -> None:
    opened = hall.log_in(ttl=timedelta(hours=1))
    hall.door.clock.advance(timedelta(hours=1) - SECOND)
    before = hall.actor(opened.cookie)

    hall.door.clock.advance(SECOND)

    assert (before, hall.actor(opened.cookie)) == ("token:ann", None)
    assert opened.lasts == timedelta(hours=1)


def test_it_ends_when_its_token_is_revoked(hall: Hall) -> None:
    opened = hall.log_in()
    hall.door.desk.revoke("ann", actor="cli:bob")

    hall.door.watch.advance(LIMIT)

    assert hall.actor(opened.cookie) is None


def test_another_token_of_the_same_name_does_not_bring_it_back(hall: Hall) -> None:
    opened = hall.log_in()
    hall.door.desk.revoke("ann", actor="cli:bob")
    hall.door.token("ann", Role.ADMIN)

    hall.door.watch.advance(LIMIT)

    assert hall.actor(opened.cookie) is None


@pytest.mark.parametrize("admin_token", ["another-admin-token-of-the-settings", None])
def test_it_ends_when_the_admin_token_of_the_settings_is_another(admin_token: str | None) -> None:
    hall = Hall(admin=True)
    opened = hall.sessions.log_in(ADMIN_TOKEN, HERE)

    assert hall.after_a_restart_with(admin_token).identity(opened.cookie) is None


def test_it_survives_a_restart_with_the_same_settings() -> None:
    hall = Hall(admin=True)
    cookies = [hall.sessions.log_in(ADMIN_TOKEN, HERE).cookie, hall.log_in("ann").cookie]

    sessions = hall.after_a_restart_with(ADMIN_TOKEN)

    assert [who and who.actor for who in map(sessions.identity, cookies)] == ["admin", "token:ann"]


def test_who_logs_out_is_out_at_once_and_others_stay(hall: Hall) -> None:
    token = hall.door.token("ann", Role.VIEWER)
    here, there = hall.sessions.log_in(token, HERE), hall.sessions.log_in(token, THERE)

    hall.sessions.log_out(here.cookie)

    assert (hall.actor(here.cookie), hall.actor(there.cookie)) == (None, "token:ann")


@pytest.mark.parametrize("cookie", [None, "", "x" * 43, "\x00"])
def test_to_log_out_without_a_session_is_harmless(hall: Hall, cookie: str | None) -> None:
    hall.sessions.log_out(cookie)


def test_without_the_database_nobody_can_tell_whose_it_is(hall: Hall) -> None:
    opened = hall.log_in()
    hall.store.away = True

    with pytest.raises(RegistryUnavailable):
        hall.sessions.identity(opened.cookie)


def test_a_look_at_a_page_is_a_use_of_the_token(hall: Hall) -> None:
    opened = hall.log_in()
    hall.door.gate.close()
    hall.door.clock.advance(120)

    hall.actor(opened.cookie)
    hall.door.uses.write()

    (token,) = hall.door.tokens.listed()
    assert token.last_used_at == hall.door.clock.now()
