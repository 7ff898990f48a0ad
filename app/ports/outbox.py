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
MOST = 100_000
"""How many of each state are kept at most, the newest: a receiver that is away for long fills no disk."""


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
    """When it is to be sent; None: it is not."""
    ended_at: datetime | None = None
    """When it was delivered, or given up."""
    last_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is still to be sent, and what was given up."""

    pending: int = 0
    dead: int = 0
    oldest: timedelta = timedelta()
    """How long ago the oldest of what is to be sent was written, or asked for again; 0: there is none."""
    late: timedelta = timedelta()
    """How long ago the first of them should have been sent; 0: all that was due was sent, or tried."""
    refused: timedelta = timedelta()
    """How long ago the first try failed of the one for which that is longest; 0: there is none."""


class Outbox(Protocol):
    """The messages, judged by the database's clock. Each method may raise RegistryUnavailable."""

    def due(self, limit: int, *, asked_within: timedelta | None = None) -> Sequence[Message]:
        """Return messages that are to be sent now, in the order in which they became due.

        With `asked_within`, those alone that somebody asked for again in that time, and that were not tried
        since.
        """
        ...

    def delivered(self, number: int) -> None:
        """Note that a message was taken, whatever was noted of it before."""
        ...

    def failed(self, number: int, error: str, *, attempts: int, again_in: timedelta | None) -> bool:
        """Note that a message was not taken, and when to send it again; None: it is dead.

        The error is kept as `plain` makes it.

        False, and no change, where it is no more as the sender read it, after so many `attempts`: somebody
        else sent it meanwhile, or asked for it again.
        """
        ...

    def retry(self, message: str) -> Message:
        """Have a message sent once more as if it were new, at once, whatever became of it.

        Takes its id. Raises MessageNotFound.
        """
        ...

    def retry_dead(self, limit: int) -> int:
        """Do that for so many of the dead ones at most, the oldest first; say how many there were."""
        ...

    def discard(self, message: str) -> Message:
        """Forget a message at once, whatever became of it; returns it as it was.

        Takes its id. Raises MessageNotFound.
        """
        ...

    def discard_dead(self, limit: int) -> int:
        """Do that for so many of the dead ones at most; say how many there were."""
        ...

    def test(self, actor: str) -> Message:
        """Write a message that tells nothing but that messages arrive, and who wanted to see it."""
        ...

    def messages(
        self, *, state: Delivery | None = None, before: int | None = None, limit: int
    ) -> Page[Message]:
        """Return messages, the newest first, from the first one before the number `before` on."""
        ...

    def backlog(self) -> Backlog:
        """Count what is to be sent, and what was given up."""
        ...

    def give_up(self, limit: int) -> int:
        """Give up what is still to be sent and was written, or asked for again, longer ago than LIFE.

        And the oldest where there are more than MOST. So many at most: say how many there were.
        """
        ...

    def forget(self, limit: int) -> int:
        """Forget what was delivered longer ago than DELIVERED_KEPT, or given up longer ago than DEAD_KEPT.

        And the oldest of each where there are more than MOST. So many at most: say how many there were.
        """
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
