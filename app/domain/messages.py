"""What is told to the webhook."""

from collections.abc import Mapping
from enum import StrEnum

from app.domain.events import EventKind


class MessageKind(StrEnum):
    """What a message tells. Names never change."""

    ALLOCATION_CREATED = "allocation.created"
    """A project got an instance."""
    ALLOCATION_EXPIRING = "allocation.expiring"
    """An allocation ends at `endsAt`, unless it is renewed (`reason` is `expired`), used again (`unused`), or
    confirmed (`unconfirmed`)."""
    ALLOCATION_RELEASED = "allocation.released"
    """An allocation ended by a decision: of who had it, of an operator, or of the service; `reason` says
    which. The instance is being terminated."""
    ALLOCATION_LOST = "allocation.lost"
    """An allocation ended because its instance did, and nobody here wanted it."""
    POOL_LIMITED = "pool.limited"
    """Something, `limitedBy`, has kept a pool's buffer from being met for half a minute."""
    POOL_RECOVERED = "pool.recovered"
    """Nothing keeps the pool's buffer from being met any more; `limitedBy` says what did."""
    WEBHOOK_TEST = "webhook.test"
    """Somebody wanted to see that messages arrive. Nothing has happened."""


OF_EVENT: Mapping[EventKind, MessageKind] = {
    EventKind.ALLOCATION_CREATED: MessageKind.ALLOCATION_CREATED,
    EventKind.ALLOCATION_EXPIRING: MessageKind.ALLOCATION_EXPIRING,
    EventKind.ALLOCATION_ENDED: MessageKind.ALLOCATION_RELEASED,
    EventKind.ALLOCATION_LOST: MessageKind.ALLOCATION_LOST,
    EventKind.POOL_LIMITED: MessageKind.POOL_LIMITED,
    EventKind.POOL_RECOVERED: MessageKind.POOL_RECOVERED,
}
"""Which message tells of an event; of the others there is none."""

LONGEST_ERROR = 300
"""Signs of an error that are kept, and told."""


def plain(error: str) -> str:
    """Return what went wrong as it can be kept and shown: one line, not too long, without control signs."""
    return "".join(sign if sign.isprintable() else "?" for sign in error[:LONGEST_ERROR])
