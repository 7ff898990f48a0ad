"""Who may do what: tokens, and the roles they have."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.domain.errors import InvalidTokenName

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)


class Role(StrEnum):
    """What a caller may do; each role may do all that those before it may."""

    VIEWER = "viewer"
    """Read everything."""
    ALLOCATOR = "allocator"
    """Allocate, renew and release, by project."""
    ADMIN = "admin"
    """Everything: end and hold instances, pause pools, set buffers."""

    def allows(self, needed: "Role") -> bool:
        """Whether who has this role may do what needs the other."""
        return _RANKS[self] >= _RANKS[needed]


_RANKS = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is kept: without the secret, of which only a hash is."""

    id: str
    """Public: it is the part of the token before the secret."""
    name: str
    """Whom it was given to; unique among those that are not revoked."""
    role: Role
    digest: str = field(repr=False)
    """SHA-256 of the secret, in hex digits."""
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    """To the minute."""

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def actor(self) -> str:
        """Name whoever uses it, for the audit trail."""
        return f"token:{self.name}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a request, and what they may do."""

    actor: str
    """As the audit trail names them."""
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A person who has logged in to the dashboard with a token; it ends with the token, or before."""

    digest: str = field(repr=False)
    """SHA-256 of what the cookie has, in hex digits."""
    credential: str
    """What it was opened with: a token's id, or what stands for the admin token of the settings."""
    created_at: datetime
    expires_at: datetime


def token_name(text: str) -> str:
    """Read the name of a new token, or raise InvalidTokenName."""
    if _ID.fullmatch(text):  # or it could be revoked in place of the token that has this id
        raise InvalidTokenName(
            f"{text!r} is no name for a token: 8 of the digits 0-9 and a-f are an id. Take another name."
        )
    return token_name_or_id(text)


def token_name_or_id(text: str) -> str:
    """Read what a token is called by, or raise InvalidTokenName."""
    if not _NAME.fullmatch(text):
        raise InvalidTokenName(
            f"{text!r} is no name for a token: 1 to 63 letters, digits, '_', '.' or '-', the first a letter "
            "or a digit."
        )
    return text
