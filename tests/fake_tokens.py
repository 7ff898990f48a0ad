"""The Tokens port in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from app.domain.access import Token
from app.domain.errors import NameTaken, RegistryUnavailable, TokenNotFound


class FakeTokens:
    """Counts how often it was read and written, and can be away."""

    def __init__(self) -> None:
        self._all: dict[str, Token] = {}
        self.reads = 0
        self.writes = 0
        self.away = False

    def add(self, token: Token) -> None:
        self._answer()
        if any(one.name == token.name for one in self._standing().values()):
            raise NameTaken
        self._all[token.id] = token

    def revoke(self, name: str, *, actor: str, now: datetime) -> Token:
        self._answer()
        standing = self._standing().values()
        found = [one for one in standing if one.name == name] or [one for one in standing if one.id == name]
        if not found:
            raise TokenNotFound
        revoked = replace(found[0], revoked_at=now)
        self._all[revoked.id] = revoked
        return revoked

    def listed(self) -> Sequence[Token]:
        self._answer()
        return sorted(self._all.values(), key=lambda one: one.created_at, reverse=True)

    def standing(self) -> Mapping[str, Token]:
        self._answer()
        self.reads += 1
        return self._standing()

    def note_used(self, used: Mapping[str, datetime]) -> None:
        self._answer()
        self.writes += 1
        for token, at in used.items():
            found = self._all.get(token)
            if found and (found.last_used_at is None or found.last_used_at < at):
                self._all[token] = replace(found, last_used_at=at)

    def _standing(self) -> dict[str, Token]:
        return {one.id: one for one in self._all.values() if one.revoked_at is None}

    def _answer(self) -> None:
        if self.away:
            raise RegistryUnavailable
