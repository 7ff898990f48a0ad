"""Making, listing and revoking tokens."""

import base64
from collections.abc import Callable, Sequence
from datetime import timedelta

from app.domain.access import Role, Token, token_name
from app.ports import Clock, Tokens
from app.service.access import digest_of, written

ID_BYTES = 4
SECRET_BYTES = 32


class TokenDesk:
    """Gives out tokens and takes them back. `chance` returns so many random bytes that nobody can guess."""

    def __init__(self, *, tokens: Tokens, clock: Clock, chance: Callable[[int], bytes]) -> None:
        self._tokens = tokens
        self._clock = clock
        self._chance = chance

    def create(self, name: str, role: Role, *, ttl: timedelta | None, actor: str) -> tuple[Token, str]:
        """Make a token, which ends after `ttl` (None: never), and return it with what its holder sends.

        That string is nowhere kept and cannot be told again. Raises InvalidTokenName, and NameTaken where a
        token of this name is in force or has expired without being revoked.
        """
        now, secret = self._clock.now(), _written(self._chance(SECRET_BYTES))
        token = Token(
            id=self._chance(ID_BYTES).hex(),
            name=token_name(name),
            role=role,
            digest=digest_of(secret),
            created_at=now,
            created_by=actor,
            expires_at=None if ttl is None else now + ttl,
        )
        self._tokens.add(token)
        return token, written(token.id, secret)

    def listed(self) -> Sequence[Token]:
        """Return all tokens, the newest first, revoked and expired ones as well."""
        return self._tokens.listed()

    def revoke(self, name: str, *, actor: str) -> Token:
        """Take back the token of this name or id: it is refused everywhere within five seconds.

        Raises TokenNotFound where none is in force.
        """
        return self._tokens.revoke(name, actor=actor, now=self._clock.now())


def _written(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
