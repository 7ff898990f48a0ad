"""Sessions: people log in to the dashboard with a token once, and their browser shows a cookie from then on.

A session is its token in another dress: it may what the token may, and is over when the token is.
"""

import base64
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from app.domain.access import Identity, Session
from app.ports import Clock, SessionStore
from app.service.access import ADMIN, Gate, digest_of

log = structlog.get_logger()

LASTS = timedelta(hours=12)
"""A working day, and no more: who stays away has to log in again."""
SECRET_BYTES = 32

_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_OF_THE_SETTINGS = "admin:"
"""What stands for the admin token of the settings begins so; a token's id cannot."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just begun."""

    cookie: str = field(repr=False)
    """What the browser shows from now on: 256 random bits, which are nowhere kept."""
    identity: Identity
    lasts: timedelta
    """How long at most."""


class Sessions:
    """Opens sessions, tells whose they are, and ends them. `chance` returns bytes that nobody can guess."""

    def __init__(
        self, *, store: SessionStore, gate: Gate, clock: Clock, chance: Callable[[int], bytes]
    ) -> None:
        self._store = store
        self._gate = gate
        self._clock = clock
        self._chance = chance

    def log_in(self, token: str, address: str) -> Opened:
        """Open a session for the holder of a token: for LASTS at most, and never for longer than the token.

        Raises Unauthenticated where it is not good, TooManyAttempts where this address tries that too often,
        and RegistryUnavailable.
        """
        admitted = self._gate.enter(token, address)
        now, cookie = self._clock.now(), _written(self._chance(SECRET_BYTES))
        ends = now + LASTS
        if admitted.token is None:
            credential = f"{_OF_THE_SETTINGS}{self._gate.sealed(cookie)}"
        else:
            credential = admitted.token.id
            ends = min(ends, admitted.token.expires_at or ends)
        self._store.add(
            Session(digest=digest_of(cookie), credential=credential, created_at=now, expires_at=ends)
        )
        log.info("session.opened", actor=admitted.identity.actor, address=address)
        return Opened(cookie, admitted.identity, ends - now)

    def identity(self, cookie: str | None) -> Identity | None:
        """Tell whose session it is; None where there is none, it is over, or its token is not good any more.

        That the token was revoked is known within five seconds, and that the session was ended, at once.
        Raises RegistryUnavailable.
        """
        if cookie is None or not _COOKIE.fullmatch(cookie):
            return None
        session = self._store.find(digest_of(cookie), now=self._clock.now())
        if session is None:
            return None
        if not session.credential.startswith(_OF_THE_SETTINGS):
            return self._gate.holder(session.credential)
        seal = self._gate.sealed(cookie)
        kept = session.credential.removeprefix(_OF_THE_SETTINGS)
        return ADMIN if seal is not None and hmac.compare_digest(seal, kept) else None

    def log_out(self, cookie: str | None) -> None:
        """End a session at once, everywhere. Harmless where there is none. Raises RegistryUnavailable."""
        if cookie is not None and _COOKIE.fullmatch(cookie):
            self._store.end(digest_of(cookie))


def _written(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
