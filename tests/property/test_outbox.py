"""The outbox as a state machine: changes, kills, two leaders at once, and a receiver of moods.

Whatever happens: each change has its one message, none is lost, what is noted as delivered was taken, only
what had all its tries is dead, and what was written first is tried first.
"""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL
from app.domain.retries import LIFE, PAUSES
from app.ports import Answer, Delivery, Message, Sender
from app.registry import steps
from app.registry.outbox import SqlOutbox
from app.registry.transactions import Transactions
from app.service.delivery import AT_ONCE, Postman
from tests.fake_clock import FakeClock, Stopwatch
from tests.fake_outbox import AWAY, REFUSED, TAKEN
from tests.fakes import FakeMeter
from tests.property.fuse import Crash, Fuse, Fused
from tests.property.quick_database import open_quickly

GONE = Answer(taken=False, error="hooks.example.com answered 410", gone=True)
BUSY = Answer(taken=False, error="hooks.example.com answered 503", away=True, wish=timedelta(minutes=3))
MOODS = st.sampled_from([TAKEN, REFUSED, AWAY, BUSY, GONE])
LEADERS = st.integers(0, 1)
MOST_TRIES = len(PAUSES) + 1


class InTurn(Postman):
    """Sends the messages of a batch one after the other: the same each time it is run."""

    def _send(self, sender: Sender, batch: Sequence[Message]) -> Sequence[Answer]:
        return [sender.send(one.id, one.body) for one in batch]


class Broken(Exception):
    """The change is taken back."""


class Mail(RuleBasedStateMachine):
    """Two leaders of which each takes itself for the only one, on one database."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.engine = open_quickly(self.folder)
        self.clock = FakeClock()
        self.watch = Stopwatch()
        transactions = Transactions(self.engine, clock=lambda _: self.clock.now(), tells=True)
        self.transactions = transactions
        self.outbox = SqlOutbox(transactions)
        self.fuse = Fuse()
        self.mood = TAKEN
        self.meanwhile: int | None = None
        """Which leader makes a round of its own in the middle of the other's."""
        self.written = 0
        self.taken: set[str] = set()
        self.refused_for_good: set[str] = set()
        self.too_old: set[str] = set()
        self.begun: dict[str, datetime] = {}
        """When it was written, or asked for again."""
        self.ended: set[str] = set()
        """What had been delivered or given up at some time."""
        self.tried: list[str] = []
        self.numbers: dict[str, int] = {}
        self.leaders = [self._leader() for _ in range(2)]

    def _leader(self) -> Postman:
        return InTurn(
            outbox=Fused(self.outbox, self.fuse),
            sender=self,
            meter=FakeMeter(),
            monotonic=self.watch,
            chance=lambda: 0.5,
        )

    def send(self, message: str, body: str) -> Answer:
        """Be the receiver."""
        del body
        if message not in self.tried:
            self.tried.append(message)
        mood = self.mood
        if mood.taken:
            self.taken.add(message)
        if mood.gone:
            self.refused_for_good.add(message)
        other, self.meanwhile = self.meanwhile, None
        if other is not None:
            self.leaders[other].round()
        return mood

    @rule()
    def something_happens(self) -> None:
        self._write()
        self.written += 1
        newest = self.outbox.messages(limit=1).items[0]
        self.numbers[newest.id] = newest.number
        self.begun[newest.id] = self.clock.now()

    @rule()
    def something_is_taken_back(self) -> None:
        with suppress(Broken):
            self._write(then=Broken())

    def _write(self, then: Exception | None = None) -> None:
        with self.transactions.exclusively() as tx:
            kind = EventKind.POOL_LIMITED
            steps.record(tx, kind, DEFAULT_POOL, "poller", self.clock.now(), reason="quota")
            if then is not None:
                raise then

    @rule(leader=LEADERS, mood=MOODS)
    def a_round(self, leader: int, mood: Answer) -> None:
        self.mood = mood
        self.leaders[leader].round()

    @rule(leader=LEADERS, mood=MOODS)
    def a_round_in_a_round(self, leader: int, mood: Answer) -> None:
        self.mood, self.meanwhile = mood, 1 - leader
        self.leaders[leader].round()
        self.meanwhile = None

    @rule(leader=LEADERS, mood=MOODS, uses=st.integers(0, 12))
    def a_round_that_is_killed(self, leader: int, mood: Answer, uses: int) -> None:
        self.mood, self.fuse.left = mood, uses
        with suppress(Crash):
            self.leaders[leader].round()
        if self._burnt_down():  # another process begins, with no memory
            self.leaders[leader] = self._leader()
        self.fuse.left = None

    def _burnt_down(self) -> bool:
        return self.fuse.left is None

    @rule(hours=st.sampled_from([0.002, 0.05, 1, 13, 25]))
    def time_passes(self, hours: float) -> None:
        self.clock.advance(timedelta(hours=hours))
        self.watch.advance(hours * 3600)

    @rule(data=st.data())
    def somebody_asks_for_a_message_again(self, data: st.DataObject) -> None:
        known = self.outbox.messages(limit=1000).items
        if known:
            wanted = data.draw(st.sampled_from([one.id for one in known]))
            self.outbox.retry(wanted)
            self.begun[wanted] = self.clock.now()

    @invariant()
    def each_change_has_one_message_that_was_never_lost(self) -> None:
        known = self.outbox.messages(limit=1000).items
        assert len({one.id for one in known}) == len(known) <= self.written
        # What is missing was forgotten: it had come to its end.
        assert self.numbers.keys() - {one.id for one in known} <= self.ended
        self.ended |= {one.id for one in known if one.delivery is not Delivery.PENDING}

    @invariant()
    def what_is_noted_as_delivered_was_taken(self) -> None:
        delivered = self.outbox.messages(state=Delivery.DELIVERED, limit=1000).items
        assert {one.id for one in delivered} <= self.taken

    @invariant()
    def only_what_had_all_its_tries_or_is_too_old_is_dead(self) -> None:
        for one in self.outbox.messages(state=Delivery.DEAD, limit=1000).items:
            too_old = one.ended_at is not None and one.ended_at - self.begun[one.id] >= LIFE
            assert one.attempts == MOST_TRIES or one.id in self.refused_for_good or too_old
            if too_old:
                self.too_old.add(one.id)

    @invariant()
    def what_was_written_first_is_tried_first(self) -> None:
        """But for those that are on their way together."""
        numbers = [self.numbers[one] for one in self.tried]
        latest = 0
        for number in numbers:
            assert number > latest - AT_ONCE
            latest = max(latest, number)
        assert set(range(1, latest - AT_ONCE + 1)) <= set(numbers)

    def teardown(self) -> None:
        """In the end the receiver takes everything: then everything that was not given up arrives."""
        self.mood, self.fuse.left = TAKEN, None
        for _ in range(3):
            self.clock.advance(timedelta(hours=30))
            self.watch.advance(30 * 3600)
            self.leaders[0].round()
        try:
            backlog = self.outbox.backlog()
            assert backlog.pending == 0
            self.only_what_had_all_its_tries_or_is_too_old_is_dead()
            assert set(self.numbers) <= self.taken | self.refused_for_good | self.too_old | self._exhausted()
        finally:
            self.engine.dispose()
            shutil.rmtree(self.folder)

    def _exhausted(self) -> set[str]:
        dead = self.outbox.messages(state=Delivery.DEAD, limit=1000).items
        return {one.id for one in dead if one.attempts == MOST_TRIES}


TestMail = Mail.TestCase
