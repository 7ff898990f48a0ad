"""Where tokens are kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from app.domain.access import Token


class Tokens(Protocol):
    """Keeps tokens, by the hash of their secret alone. Each method may raise RegistryUnavailable."""

    def add(self, token: Token) -> None:
        """Keep a new token. Raises NameTaken where one of its name is not revoked."""
        ...

    def revoke(self, name: str, *, actor: str, now: datetime) -> Token:
        """Revoke the token of this name, or of this id. Raises TokenNotFound where none is in force."""
        ...

    def listed(self) -> Sequence[Token]:
        """Return all tokens, the newest first, revoked and expired ones as well."""
        ...

    def standing(self) -> Mapping[str, Token]:
        """Return the tokens that are not revoked, by id; expired ones are among them."""
        ...

    def note_used(self, used: Mapping[str, datetime]) -> None:
        """Note when tokens (by id) were last used; never earlier than noted before."""
        ...
