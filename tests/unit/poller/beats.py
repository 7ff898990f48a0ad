"""A poller whose beats come from the test: its own arithmetic, without threads."""

from datetime import timedelta

from app.poller import Poller
from app.service.reconcile import PassReport
from tests.fake_clock import Stopwatch
from tests.fakes import FakeTurn


class Beats:
    """A poller that is beaten once a second, and the seconds at which each pass ran."""

    def __init__(
        self, report: PassReport | Exception, *, interval: float = 10.0, chance: float = 0.0
    ) -> None:
        self.time = Stopwatch()
        self.report = report
        self.newest: int | Exception = 0
        self.ran: list[float] = []
        self._began = self.time()
        self.poller = Poller(
            self._tick,
            lambda: False,
            lambda: False,
            self._newest_event,
            turn=FakeTurn(),
            interval=timedelta(seconds=interval),
            monotonic=self.time,
            chance=lambda: chance,
        )

    def _tick(self) -> PassReport:
        self.ran.append(self.time() - self._began)
        if isinstance(self.report, Exception):
            raise self.report
        return self.report

    def _newest_event(self) -> int:
        if isinstance(self.newest, Exception):
            raise self.newest
        return self.newest

    def beat_for(self, seconds: int) -> None:
        for _ in range(seconds):
            self.poller._beat()
            self.time.seconds += 1

    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.ran, self.ran[1:], strict=False)]
