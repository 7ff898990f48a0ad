"""Tokens: rows that are added and revoked, and never deleted, so that the audit trail can be read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from app.domain.access import Role, Token
from app.domain.errors import NameTaken, TokenNotFound
from app.domain.events import EventKind
from app.registry import steps
from app.registry.errors import Conflict
from app.registry.leases import EVERY_POOL
from app.registry.schema import tokens
from app.registry.transactions import Transactions

_every = select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.id)
_standing = select(tokens).where(tokens.c.revoked_at.is_(None))
_named = _standing.where(tokens.c.name == bindparam("of"))
_add = insert(tokens)
_revoke = update(tokens).where(tokens.c.revoked_at.is_(None)).returning(tokens)
_revoke_by_name = _revoke.where(tokens.c.name == bindparam("of"))
_revoke_by_id = _revoke.where(tokens.c.id == bindparam("of"))
_note_used = (
    update(tokens)
    .where(
        tokens.c.id == bindparam("of"),
        or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"))
)


class SqlTokens:
    """The Tokens port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._exclusively, self._looking = transactions.exclusively, transactions.looking

    def add(self, token: Token) -> None:
        """See Tokens.add."""
        try:
            with self._exclusively() as tx:
                values = {column.name: getattr(token, column.name) for column in tokens.columns}
                tx.execute(_add, {**values, "role": token.role.value})
                reason = f"{token.name}, {token.role}"
                if token.expires_at is not None:
                    reason += f", until {token.expires_at.isoformat(timespec='seconds')}"
                _record(tx, EventKind.TOKEN_CREATED, token.created_by, token.created_at, reason)
        except Conflict:  # the schema keeps names single
            with self._looking() as tx:
                taken = tx.execute(_named, {"of": token.name}).one_or_none()
            if taken is None:
                raise
            raise NameTaken(
                f"There is a token '{token.name}' already: revoke it first, or take another name."
            ) from None

    def revoke(self, name: str, *, actor: str, now: datetime) -> Token:
        """See Tokens.revoke."""
        with self._exclusively() as tx:
            row = tx.execute(_revoke_by_name, {"of": name, "revoked_at": now}).one_or_none()
            if row is None:
                row = tx.execute(_revoke_by_id, {"of": name, "revoked_at": now}).one_or_none()
            if row is None:
                raise TokenNotFound(f"No token '{name}' is in force.")
            _record(tx, EventKind.TOKEN_REVOKED, actor, now, row.name)
        return _token(row)

    def listed(self) -> Sequence[Token]:
        """See Tokens.listed."""
        with self._looking() as tx:
            return [_token(row) for row in tx.execute(_every)]

    def standing(self) -> Mapping[str, Token]:
        """See Tokens.standing."""
        with self._looking() as tx:
            return {row.id: _token(row) for row in tx.execute(_standing)}

    def note_used(self, used: Mapping[str, datetime]) -> None:
        """See Tokens.note_used."""
        if used:
            with self._exclusively() as tx:
                tx.execute(_note_used, [{"of": token, "at": at} for token, at in sorted(used.items())])


def _record(tx: Connection, kind: EventKind, actor: str, now: datetime, reason: str) -> None:
    steps.record(tx, kind, EVERY_POOL, actor, now, reason=reason)


def _token(row: Row[*tuple[Any, ...]]) -> Token:
    values = {column.name: getattr(row, column.name) for column in tokens.columns}
    return Token(**{**values, "role": Role(row.role)})
