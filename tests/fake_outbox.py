"""The Outbox and Sender ports in memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from app.domain.errors import MessageNotFound, RegistryUnavailable
from app.domain.messages import plain
from app.domain.model import DEFAULT_POOL
from app.domain.retries import LIFE
from app.ports import Answer, Backlog, Delivery, Message, Page
from app.ports.outbox import DEAD_KEPT, DELIVERED_KEPT, MOST
from tests.builders import NOW

TAKEN = Answer(taken=True)
REFUSED = Answer(taken=False, error="hooks.example.com answered 500")
AWAY = Answer(taken=False, error="hooks.example.com does not answer: Connection refused", away=True)


class FakeOutbox:
    """The Outbox port; `now` is the database's clock."""

    def __init__(self, now: Callable[[], datetime] = lambda: NOW) -> None:
        self._now = now
        self._kept: dict[int, Message] = {}
        self._begun: dict[int, datetime] = {}
        self._asked: set[int] = set()
        """Which were asked for again, and not tried since."""
        self._refused: dict[int, datetime] = {}
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
            due_at=self._now(),
        )
        self._kept[message.number] = message
        self._begun[message.number] = self._now()
        return message

    def due(self, limit: int, *, asked_within: timedelta | None = None) -> Sequence[Message]:
        self._answer()
        now = self._now()
        found = [
            (one.due_at, one.number, one)
            for one in self._kept.values()
            if one.due_at is not None
            and one.due_at <= now
            and (
                asked_within is None
                or (one.number in self._asked and self._begun[one.number] >= now - asked_within)
            )
        ]
        return [one for *_, one in sorted(found, key=lambda each: each[:2])[:limit]]

    def delivered(self, number: int) -> None:
        self._answer()
        one = self._kept[number]
        if one.delivery is not Delivery.DELIVERED:
            self._asked.discard(number)
            self._refused.pop(number, None)
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
        self._asked.discard(number)
        self._refused.setdefault(number, self._now())
        if dead:
            del self._refused[number]
        self._kept[number] = replace(
            one,
            attempts=attempts + 1,
            delivery=Delivery.DEAD if dead else Delivery.PENDING,
            due_at=None if again_in is None else self._now() + again_in,
            ended_at=self._now() if dead else None,
            last_error=plain(error),
        )
        return True

    def retry(self, message: str) -> Message:
        self._answer()
        return self._once_more(self._known(message))

    def retry_dead(self, limit: int) -> int:
        self._answer()
        return len([self._once_more(one) for one in self._dead()[:limit]])

    def discard(self, message: str) -> Message:
        self._answer()
        return self._drop(self._known(message))

    def discard_dead(self, limit: int) -> int:
        self._answer()
        return len([self._drop(one) for one in self._dead()[:limit]])

    def test(self, actor: str) -> Message:
        self._answer()
        kind = "webhook.test"
        one = replace(self.write(body=f'{{"type":"{kind}","data":{{"actor":"{actor}"}}}}'), kind=kind)
        self._kept[one.number] = one
        return one

    def _known(self, message: str) -> Message:
        for one in self._kept.values():
            if one.id == message:
                return one
        raise MessageNotFound(f"There is no message '{message}', or it was forgotten.")

    def _dead(self) -> list[Message]:
        return [one for one in self._kept.values() if one.delivery is Delivery.DEAD]

    def _once_more(self, one: Message) -> Message:
        now = self._now()
        anew = replace(one, attempts=0, delivery=Delivery.PENDING, due_at=now, ended_at=None)
        self._kept[one.number] = anew
        self._begun[one.number] = now
        self._asked.add(one.number)
        self._refused.pop(one.number, None)
        return anew

    def _drop(self, one: Message) -> Message:
        self._refused.pop(one.number, None)
        return self._kept.pop(one.number)

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
        now = self._now()

        def ago(moments: Iterable[datetime | None]) -> timedelta:
            return max((now - one for one in moments if one is not None), default=timedelta())

        return Backlog(
            pending=len(pending),
            dead=sum(one.delivery is Delivery.DEAD for one in self._kept.values()),
            oldest=ago(self._begun[one.number] for one in pending),
            late=max(timedelta(), ago(one.due_at for one in pending)),
            refused=ago(self._refused.values()),
        )

    def give_up(self, limit: int) -> int:
        self._answer()
        pending = [one for one in self._kept.values() if one.delivery is Delivery.PENDING]
        pending.sort(key=lambda one: (self._begun[one.number], one.number))
        over = len(pending) - MOST
        old = [
            one
            for place, one in enumerate(pending)
            if place < over or self._begun[one.number] <= self._now() - LIFE
        ][:limit]
        for one in old:
            self._refused.pop(one.number, None)
            self._kept[one.number] = replace(
                one,
                delivery=Delivery.DEAD,
                due_at=None,
                ended_at=self._now(),
                last_error=one.last_error or "It was not sent in time.",
            )
        return len(old)

    def forget(self, limit: int) -> int:
        self._answer()
        self.forgot += 1
        kept = {Delivery.DELIVERED: DELIVERED_KEPT, Delivery.DEAD: DEAD_KEPT}
        old = [
            one
            for one in self._kept.values()
            if one.ended_at is not None and one.ended_at <= self._now() - kept[one.delivery]
        ][:limit]
        return len([self._drop(one) for one in old])

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
