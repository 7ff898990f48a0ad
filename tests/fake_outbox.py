"""The Outbox and Sender ports in memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from app.domain.errors import MessageNotFound, RegistryUnavailable
from app.domain.model import DEFAULT_POOL
from app.ports import Answer, Backlog, Delivery, Message, Page
from app.ports.outbox import DEAD_KEPT, DELIVERED_KEPT
from tests.builders import NOW

TAKEN = Answer(taken=True)
REFUSED = Answer(taken=False, error="hooks.example.com answered 500")
AWAY = Answer(taken=False, error="hooks.example.com does not answer: Connection refused", away=True)


class FakeOutbox:
    """The Outbox port; `now` is the database's clock."""

    def __init__(self, now: Callable[[], datetime] = lambda: NOW) -> None:
        self._now = now
        self._kept: dict[int, Message] = {}
        self._last = 0
        self.away = False
        """Whether it does not answer."""
        self.forgot = 0
        """How often it was asked to forget."""

    def write(self, body: str = "{}", at: datetime | None = None) -> Message:
        """Write a message as the registry would."""
        self._last += 1
        message = Message(
            number=self._last,
            id=f"msg_{self._last:032x}",
            kind="allocation.created",
            pool=DEFAULT_POOL,
            at=at or self._now(),
            body=body,
            attempts=0,
            delivery=Delivery.PENDING,
            due_at=at or self._now(),
        )
        self._kept[message.number] = message
        return message

    def due(self, limit: int) -> Sequence[Message]:
        self._answer()
        now = self._now()
        found = [
            one
            for one in self._kept.values()
            if one.due_at is not None and (not one.attempts or one.due_at <= now)
        ]
        return found[:limit]

    def delivered(self, number: int) -> None:
        self._answer()
        one = self._kept[number]
        if one.delivery is not Delivery.DELIVERED:
            self._kept[number] = replace(
                one,
                attempts=one.attempts + 1,
                delivery=Delivery.DELIVERED,
                due_at=None,
                ended_at=self._now(),
                last_error=None,
            )

    def failed(self, number: int, error: str, *, attempts: int, again_in: timedelta | None) -> bool:
        self._answer()
        one = self._kept[number]
        if one.delivery is not Delivery.PENDING or one.attempts != attempts:
            return False
        dead = again_in is None
        self._kept[number] = replace(
            one,
            attempts=attempts + 1,
            delivery=Delivery.DEAD if dead else Delivery.PENDING,
            due_at=None if again_in is None else self._now() + again_in,
            ended_at=self._now() if dead else None,
            last_error=error,
        )
        return True

    def retry(self, message: str) -> Message:
        self._answer()
        for one in self._kept.values():
            if one.id == message:
                now = self._now()
                anew = replace(one, attempts=0, delivery=Delivery.PENDING, due_at=now, ended_at=None)
                self._kept[one.number] = anew
                return anew
        raise MessageNotFound(f"There is no message '{message}', or it was forgotten.")

    def messages(
        self, *, state: Delivery | None = None, before: int | None = None, limit: int
    ) -> Page[Message]:
        self._answer()
        found = [
            one
            for one in reversed(self._kept.values())
            if state in {None, one.delivery} and (before is None or one.number < before)
        ]
        return Page(found[:limit], more=len(found) > limit)

    def backlog(self) -> Backlog:
        self._answer()
        pending = [one for one in self._kept.values() if one.delivery is Delivery.PENDING]
        return Backlog(
            pending=len(pending),
            dead=sum(one.delivery is Delivery.DEAD for one in self._kept.values()),
            oldest_at=min((one.at for one in pending), default=None),
            refused_at=min((one.at for one in pending if one.attempts), default=None),
        )

    def forget(self) -> None:
        self._answer()
        self.forgot += 1
        kept = {Delivery.DELIVERED: DELIVERED_KEPT, Delivery.DEAD: DEAD_KEPT}
        old = [
            one.number
            for one in self._kept.values()
            if one.ended_at is not None and one.ended_at <= self._now() - kept[one.delivery]
        ]
        for number in old:
            del self._kept[number]

    def _answer(self) -> None:
        if self.away:
            raise RegistryUnavailable("The database did not answer as it should. Try again.")


class FakeSender:
    """The Sender port: answers as it is told, and remembers what it was given."""

    def __init__(self, *answers: Answer) -> None:
        """Answer so in turn; the last answer stays. Without any, everything is taken."""
        self.answers = list(answers) or [TAKEN]
        self.sent: list[str] = []
        """The ids."""

    def send(self, message: str, body: str) -> Answer:
        self.sent.append(message)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
