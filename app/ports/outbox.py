"""Messages to the outside: written with the change that they tell of, sent later, until they arrive."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from app.domain.model import PoolName


class Delivery(StrEnum):
    """What became of a message."""

    PENDING = "pending"
    """It is to be sent, for the first time or again."""
    DELIVERED = "delivered"
    """It was taken."""
    DEAD = "dead"
    """It was refused so often that it is not sent again unless somebody asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message."""

    number: int
    """Later messages have higher numbers."""
    id: str
    """Which it has for those who get it: the same each time it is sent."""
    kind: str
    pool: PoolName
    at: datetime
    body: str
    attempts: int
    """How often it was sent, or tried."""
    delivery: Delivery
    due_at: datetime | None = None
    """When it is to be sent; None: it is not."""
    ended_at: datetime | None = None
    """When it was delivered, or given up."""
    last_error: str | None = None


class Outbox(Protocol):
    """The messages, judged by the database's clock. Each method may raise RegistryUnavailable."""

    def due(self, limit: int) -> Sequence[Message]:
        """Return messages that are to be sent now, the oldest first."""
        ...

    def delivered(self, number: int) -> None:
        """Note that a message was taken. Old ones are forgotten."""
        ...

    def failed(self, number: int, error: str, *, again_in: timedelta | None) -> None:
        """Note that a message was not taken, and when to send it again; None: it is dead."""
        ...
