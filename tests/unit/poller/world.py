"""A poller with the real scheduler, real threads and real time, and what it calls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Lock
from time import monotonic

from app.poller import Poller
from app.service.reconcile import PassReport
from tests.fakes import FakeTurn
from tests.waiting import until

RESTING = PassReport(changed=False, unsettled=False)
CHANGED = PassReport(changed=True, unsettled=False)
UNSETTLED = PassReport(changed=False, unsettled=True)
NEVER = timedelta(hours=1)


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

    def tick(self) -> PassReport:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.started_at.append(monotonic())
            report = self.reports.pop(0) if self.reports else RESTING
        try:
            assert self.free.wait(timeout=30)
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

    def until_finished(self, count: int, within: float = 5.0) -> None:
        until(lambda: self.finished >= count, within, what=f"{count} passes, not {self.finished}")

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
        turn: FakeTurn | None = None,
    ) -> None:
        self.passes = Passes()
        self.probe: Callable[[], bool] = lambda: False
        self.examine: Callable[[], bool] = lambda: False
        self.newest: int | Exception = 0
        self.turn = turn or FakeTurn()
        self.poller = Poller(
            self.passes.tick,
            self._probe,
            self._examine,
            self._newest_event,
            turn=self.turn,
            interval=interval,
            monotonic=time,
            chance=lambda: 0.0,
        )

    def _probe(self) -> bool:
        return self.probe()

    def _examine(self) -> bool:
        return self.examine()

    def _newest_event(self) -> int:
        if isinstance(self.newest, Exception):
            raise self.newest
        return self.newest

    def close(self) -> None:
        self.passes.free.set()
        self.poller.stop()


def lasting(seconds: float) -> Callable[[], bool]:
    """Return a condition that becomes true when so much time is over."""
    end = monotonic() + seconds
    return lambda: monotonic() >= end
