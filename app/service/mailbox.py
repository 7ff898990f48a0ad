"""What operators do with the messages to the webhook."""

from collections.abc import Callable

from app.domain.errors import WebhookOff
from app.ports import Delivery, Message, Outbox, Page

SLICE = 1000
"""How many messages are changed in one transaction, which keeps all others that write waiting."""


class Mailbox:
    """The messages, for people. Each method may raise RegistryUnavailable.

    What would be sent raises WebhookOff where there is nobody to send it to.
    """

    def __init__(self, outbox: Outbox, *, on: bool) -> None:
        """`on`: there is a webhook."""
        self._outbox = outbox
        self._on = on

    def messages(self, *, state: Delivery | None, before: int | None, limit: int) -> Page[Message]:
        """See Outbox.messages."""
        return self._outbox.messages(state=state, before=before, limit=limit)

    def retry(self, message: str) -> Message:
        """Have a message sent once more, by its id, whatever became of it. Raises MessageNotFound."""
        self._need_somebody()
        return self._outbox.retry(message)

    def retry_dead(self) -> int:
        """Have all dead messages sent once more, and say how many there were."""
        self._need_somebody()
        return _all(self._outbox.retry_dead)

    def discard(self, message: str) -> Message:
        """Forget a message, by its id, whatever became of it; return it as it was. Raises MessageNotFound."""
        return self._outbox.discard(message)

    def discard_dead(self) -> int:
        """Forget all dead messages, and say how many there were."""
        return _all(self._outbox.discard_dead)

    def test(self, *, actor: str) -> Message:
        """Have a message sent that tells nothing but that messages arrive."""
        self._need_somebody()
        return self._outbox.test(actor)

    def _need_somebody(self) -> None:
        if not self._on:
            raise WebhookOff("This replica has no ORCHESTRATOR_WEBHOOK_URL: there is nobody to send it to.")


def _all(some: Callable[[int], int]) -> int:
    total = 0
    while done := some(SLICE):
        total += done
        if done < SLICE:
            break
    return total
