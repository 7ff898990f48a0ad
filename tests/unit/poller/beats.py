"""A poller whose beats come from the test: its own arithmetic, without threads."""

from datetime import timedelta

from app.poller import Jobs, Poller
from app.service.leadership import Leadership
from app.service.reconcile import PassReport
from tests.fake_clock import Stopwatch
from tests.fakes import FakeBell, FakeLeases


class Beats:
    """A poller that is beaten once a second, and the seconds at which each pass ran."""

    def __init__(
        self, report: PassReport | Exception, *, interval: float = 10.0, chance: float = 0.0
    ) -> None:
        self.time = Stopwatch()
        self.report = report
        self.bell = FakeBell()
        self.leases = FakeLeases(self.time)
        self.ran: list[float] = []
        self._began = self.time()
        self.leadership = Leadership(self.leases, replica="ours", monotonic=self.time)
        self.poller = Poller(
            lambda _mandate: Jobs(tick=self._tick, probe=lambda: False, examine=lambda: False),
            leadership=self.leadership,
            bell=self.bell,
            interval=timedelta(seconds=interval),
            monotonic=self.time,
            chance=lambda: chance,
        )

    def _tick(self) -> PassReport:
        self.ran.append(self.time() - self._began)
        if isinstance(self.report, Exception):
            raise self.report
        return self.report

    def beat_for(self, seconds: int) -> None:
        for _ in range(seconds):
            self.poller._keep()
            self.poller._beat()
            self.time.seconds += 1

    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.ran, self.ran[1:], strict=False)]
