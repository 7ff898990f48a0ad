"""Messages to the outside: written with the change that they tell of, sent later, until they arrive."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from app.domain.model import PoolName
from app.ports.catalogue import Page


class Delivery(StrEnum):
    """What became of a message."""

    PENDING = "pending"
    """It is to be sent, for the first time or again."""
    DELIVERED = "delivered"
    """It was taken."""
    DEAD = "dead"
    """It was refused so often that it is not sent again unless somebody asks for it."""


DELIVERED_KEPT = timedelta(days=1)
DEAD_KEPT = timedelta(days=30)
"""How long messages are kept after they came to their end."""


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
    """When it happened."""
    body: str
    attempts: int
    """How often it was sent, or tried, since it was written, or since somebody asked for it again."""
    delivery: Delivery
    due_at: datetime | None = None
    """When it is to be sent; None: it is not. One that was never tried is due, whatever stands here."""
    ended_at: datetime | None = None
    """When it was delivered, or given up."""
    last_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is still to be sent, and what was given up."""

    pending: int = 0
    dead: int = 0
    oldest_at: datetime | None = None
    """When the oldest that is still to be sent was written; None: there is none."""
    refused_at: datetime | None = None
    """When the oldest of those was written that were tried and not taken yet; None: there is none."""


class Outbox(Protocol):
    """The messages, judged by the database's clock. Each method may raise RegistryUnavailable."""

    def due(self, limit: int) -> Sequence[Message]:
        """Return messages that are to be sent now, the oldest first."""
        ...

    def delivered(self, number: int) -> None:
        """Note that a message was taken, whatever was noted of it before."""
        ...

    def failed(self, number: int, error: str, *, attempts: int, again_in: timedelta | None) -> bool:
        """Note that a message was not taken, and when to send it again; None: it is dead.

        False, and no change, where it is no more as the sender read it, after so many `attempts`: somebody
        else sent it meanwhile, or asked for it again.
        """
        ...

    def retry(self, message: str) -> Message:
        """Have a message sent once more as if it were new, at once, whatever became of it.

        Takes its id. Raises MessageNotFound.
        """
        ...

    def messages(
        self, *, state: Delivery | None = None, before: int | None = None, limit: int
    ) -> Page[Message]:
        """Return messages, the newest first, from the first one before the number `before` on."""
        ...

    def backlog(self) -> Backlog:
        """Count what is to be sent, and what was given up."""
        ...

    def forget(self) -> None:
        """Forget what was delivered longer ago than DELIVERED_KEPT, or given up longer ago than DEAD_KEPT."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of sending a message once."""

    taken: bool
    error: str | None = None
    """Why it was not taken, in a few words without a secret."""
    away: bool = False
    """Whether nobody answered, or only to say: not now. The next message would not fare better."""
    gone: bool = False
    """Whether the receiver wants no messages ever again."""
    wish: timedelta | None = None
    """After how long the receiver wants to be asked again; None: it does not say."""


class Sender(Protocol):
    """Sends messages to the one receiver there is. Safe between threads."""

    def send(self, message: str, body: str) -> Answer:
        """Send the body under the message's id, once. Never raises, and is bounded in time."""
        ...
