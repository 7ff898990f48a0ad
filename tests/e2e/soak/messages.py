"""The receiver of a soak's webhook, which is away now and then, and what must hold for what it is told."""

import random  # noqa: TID251 - when it is away comes from the seed of the soak
from collections import Counter, defaultdict
from collections.abc import Iterator

from app.domain.messages import OF_EVENT
from tests.e2e.soak.cloud import Note
from tests.e2e.soak.facts import Drained, Message, Trail, now
from tests.e2e.soak.record import CLOCK, Record, Verdict, Violation
from tests.receiving import Got, Receiver, Reply

AWAY = 1.5
"""Seconds that it is away, each time."""
REFUSED = 2
"""So many times it refuses one message at most: the next try after that comes when the soak is over."""
KINDS = {event.value: message.value for event, message in OF_EVENT.items()}


class Listener(Receiver):
    """Takes messages, checks their signature, and notes them; of a hundred about one finds it going away."""

    def __init__(self, note: Note, chance: random.Random) -> None:
        super().__init__(answers=self._answer)
        self._note = note
        self._chance = chance
        self._back_at = 0.0
        self._refused: Counter[str] = Counter()

    def _answer(self, got: Got) -> Reply:
        if self._chance.random() < 0.01:
            self._back_at = now() + AWAY
        if now() < self._back_at and self._refused[got.id] < REFUSED:
            self._refused[got.id] += 1
            return Reply(status=503)
        data = got.data
        self._note(
            Message(
                at=now(),
                id=got.id,
                kind=got.kind,
                event=data["event"],
                instance=data.get("instance"),
                project=data.get("project"),
                body=got.body,
            )
        )
        return Reply()


def everything_is_told(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """Each line of the audit trail that has a message: it arrives, unless the database was lost before."""
    arrived = {(one.kind, one.event, one.instance) for one in record.all(Message)}
    drained = max((one.at for one in record.all(Drained)), default=0.0)
    for line in record.all(Trail):
        kind = KINDS.get(line.kind)
        if kind is None or line.at > drained - CLOCK:
            continue
        verdict.checks["told"] += 1
        if (kind, line.number, line.instance) in arrived:
            continue
        if record.lost_between(line.at, drained):
            verdict.excused["not told before the database was lost"] += 1
        else:
            subjects = frozenset({line.instance or "", line.project or ""})
            yield Violation("told", f"no {kind} arrived of event {line.number}", subjects, line.at)


def a_message_stays_what_it_is(record: Record, verdict: Verdict) -> Iterator[Violation]:
    """One that arrives again is the same, and an event has one message."""
    bodies: dict[str, set[str]] = defaultdict(set)
    ids: dict[tuple[str, int, str | None], set[str]] = defaultdict(set)
    for one in record.all(Message):
        verdict.checks["told"] += 1
        bodies[one.id].add(one.body)
        ids[one.kind, one.event, one.instance].add(one.id)
    for told in (one for one, some in bodies.items() if len(some) > 1):
        yield Violation("told", f"{told} arrived with two bodies")
    for (kind, event, instance), some in ids.items():
        if len(some) > 1:
            text = f"event {event} has {len(some)} messages {kind}"
            yield Violation("told", text, frozenset({instance or ""}))
