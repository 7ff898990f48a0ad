"""A poller whose beats come from the test: its own arithmetic, without threads."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

from app.domain.model import DEFAULT_POOL, PoolName
from app.poller import Jobs, NewJobs, Poller
from app.service.leadership import Leadership
from app.service.reconcile import PassReport
from tests.fake_clock import Stopwatch
from tests.fakes import FakeBell, FakeLeases, FakeMeter


class Beats:
    """A poller that is beaten once a second, and the seconds at which each pass ran."""

    def __init__(
        self,
        report: PassReport | Exception,
        *,
        interval: float = 10.0,
        chance: float = 0.0,
        others: Mapping[PoolName, PassReport | Exception] = MappingProxyType({}),
    ) -> None:
        """Let passes of the pool `default` end with `report`, and those of the others with theirs."""
        self.time = Stopwatch()
        self.reports = {DEFAULT_POOL: report, **others}
        self.bell = FakeBell(*self.reports)
        self.leases = FakeLeases(self.time)
        self.meter = FakeMeter()
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens while a pass runs."""
        self.ran_in: dict[PoolName, list[float]] = {pool: [] for pool in self.reports}
        self.urgent_in: dict[PoolName, list[bool]] = {pool: [] for pool in self.reports}
        self._began = self.time()
        self.leadership = Leadership(self.leases, replica="ours", monotonic=self.time)
        self.poller = Poller(
            {pool: self._jobs_of(pool) for pool in self.reports},
            leadership=self.leadership,
            bell=self.bell,
            intervals=dict.fromkeys(self.reports, timedelta(seconds=interval)),
            sample=lambda: None,
            meter=self.meter,
            monotonic=self.time,
            chance=lambda: chance,
        )

    @property
    def report(self) -> PassReport | Exception:
        return self.reports[DEFAULT_POOL]

    @report.setter
    def report(self, report: PassReport | Exception) -> None:
        self.reports[DEFAULT_POOL] = report

    @property
    def ran(self) -> list[float]:
        return self.ran_in[DEFAULT_POOL]

    @property
    def urgent(self) -> list[bool]:
        """Whether each pass was told to be urgent."""
        return self.urgent_in[DEFAULT_POOL]

    def _jobs_of(self, pool: PoolName) -> NewJobs:
        def tick(urgent: bool, _wanted: Callable[[], bool]) -> PassReport:
            self.urgent_in[pool].append(urgent)
            self.ran_in[pool].append(self.time() - self._began)
            report = self.reports[pool]
            self.meanwhile()
            if isinstance(report, Exception):
                raise report
            return report

        return lambda _mandate: Jobs(
            tick=tick,
            probe=lambda: False,
            examine=lambda: False,
            keep_time=lambda: False,
            watch=lambda: False,
        )

    def beat_for(self, seconds: int) -> None:
        for _ in range(seconds):
            self.poller._keep()
            for rounds in self.poller._rounds.values():
                rounds.beat()
            self.time.seconds += 1

    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.ran, self.ran[1:], strict=False)]
