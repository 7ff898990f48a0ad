"""A poller with the real scheduler, real threads and real time, and what it calls."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from threading import Event, Lock
from time import monotonic

from app.domain.model import DEFAULT_POOL, PoolName
from app.poller import Jobs, Poller
from app.ports import Mandate
from app.service.leadership import Leadership
from app.service.reconcile import PassReport
from tests.fakes import FakeBell, FakeLeases, FakeMeter
from tests.waiting import LONG, until

RESTING = PassReport(changed=False, unsettled=False)
CHANGED = PassReport(changed=True, unsettled=False)
UNSETTLED = PassReport(changed=False, unsettled=True)
NEVER = timedelta(hours=1)
HANGING = 4 * LONG
"""Seconds for which something hangs, unless the test lets it go."""


class Passes:
    """A pass that can be held up, and remembers when it ran and whether it was ever run twice at once."""

    def __init__(self) -> None:
        self.started_at: list[float] = []
        self.finished = 0
        self.most_at_once = 0
        self.reports: list[PassReport | Exception] = []
        self.free = Event()
        self.free.set()
        self._at_once = 0
        self._lock = Lock()

    def tick(self, _urgent: bool, _wanted: Callable[[], bool]) -> PassReport:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.started_at.append(monotonic())
            report = self.reports.pop(0) if self.reports else RESTING
        try:
            assert self.free.wait(HANGING)
        finally:
            with self._lock:
                self._at_once -= 1
                self.finished += 1
        if isinstance(report, Exception):
            raise report
        return report

    @property
    def started(self) -> int:
        return len(self.started_at)

    def until_finished(self, count: int) -> None:
        until(lambda: self.finished >= count, LONG, what=f"{count} passes, not {self.finished}")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the next pass begin, and not end before the block does."""
        self.free.clear()
        try:
            yield
        finally:
            self.free.set()


class World:
    """A poller, and what it calls."""

    def __init__(
        self,
        interval: timedelta = NEVER,
        time: Callable[[], float] = monotonic,
        others: Collection[PoolName] = (),
    ) -> None:
        """Let the poller have the pool `default`, and these others."""
        self.passes_of = {pool: Passes() for pool in (DEFAULT_POOL, *others)}
        self.passes = self.passes_of[DEFAULT_POOL]
        self.probe: Callable[[], bool] = lambda: False
        self.examine: Callable[[], bool] = lambda: False
        self.keep_time: Callable[[], bool] = lambda: False
        self.watch: Callable[[], bool] = lambda: False
        self.sample: Callable[[], None] = lambda: None
        self.deliver: Callable[[], None] = lambda: None
        self.bell = FakeBell(*self.passes_of)
        self.leases = FakeLeases(time)
        self.leadership = Leadership(self.leases, replica="ours", monotonic=time)
        self.meter = FakeMeter()
        self.mandates: list[Mandate] = []
        self.poller = Poller(
            {pool: partial(self._jobs, passes) for pool, passes in self.passes_of.items()},
            leadership=self.leadership,
            bell=self.bell,
            intervals=dict.fromkeys(self.passes_of, interval),
            sample=self._sample,
            deliver=self._deliver,
            meter=self.meter,
            monotonic=time,
            chance=lambda: 0.0,
        )

    def another_leads(self, seconds: float = 60.0) -> None:
        """Let another replica lead, whoever did so far."""
        while not self.leases.take("another", timedelta(seconds=seconds)):
            self.nobody_leads()

    def nobody_leads(self) -> None:
        if self.leases.held is not None:
            self.leases.resign(self.leases.held)

    def run_another_pass(self) -> None:
        """Wish for a pass until one is over: at a moment when a leader mistrusts itself, it only rings."""
        finished = self.passes.finished

        def over() -> bool:
            self.poller.wake()
            return self.passes.finished > finished

        until(over, LONG, what="another pass")

    def _jobs(self, passes: Passes, mandate: Mandate) -> Jobs:
        if passes is not self.passes:
            return Jobs(
                tick=passes.tick,
                probe=lambda: False,
                examine=lambda: False,
                keep_time=lambda: False,
                watch=lambda: False,
            )
        self.mandates.append(mandate)
        return Jobs(
            tick=passes.tick,
            probe=self._probe,
            examine=self._examine,
            keep_time=self._keep_time,
            watch=self._watch,
        )

    def _probe(self) -> bool:
        return self.probe()

    def _keep_time(self) -> bool:
        return self.keep_time()

    def _watch(self) -> bool:
        return self.watch()

    def _sample(self) -> None:
        self.sample()

    def _deliver(self) -> None:
        self.deliver()

    def _examine(self) -> bool:
        return self.examine()

    def close(self) -> None:
        for passes in self.passes_of.values():
            passes.free.set()
        self.poller.stop()


def lasting(seconds: float) -> Callable[[], bool]:
    """Return a condition that becomes true when so much time is over."""
    end = monotonic() + seconds
    return lambda: monotonic() >= end
