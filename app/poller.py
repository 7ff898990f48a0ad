"""When passes run: APScheduler around Reconciler.tick, one at a time, and soon where that is useful."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app.domain.errors import RegistryUnavailable
from app.ports import Clock
from app.service.reconcile import PassReport

log = structlog.get_logger()

GAP = timedelta(seconds=0.5)
"""The least time from one pass's start to the next: a storm of claims makes two passes a second, no more."""
SETTLING = timedelta(seconds=2)
"""The time between two passes while instances boot or terminate."""
PROBE = timedelta(seconds=1)
"""How often booting instances are probed; where one hangs, the next round waits for it."""
WATCH = timedelta(seconds=0.5)
"""How often to look whether another process has written to the registry."""


class Poller:
    """Runs passes: at an interval, soon after `wake`, and again while there is more to do."""

    def __init__(
        self,
        tick: Callable[[], PassReport],
        settle_boots: Callable[[], bool],
        newest_event: Callable[[], int],
        *,
        interval: timedelta,
        clock: Clock,
    ) -> None:
        self._tick = tick
        self._settle_boots = settle_boots
        self._newest_event = newest_event
        self._interval = interval
        self._clock = clock
        self._lock = Lock()
        self._running = False
        self._wanted = False
        self._seen_event = 0
        self._started_at = clock.now() - GAP
        self._scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Begin, with a pass at once. Call it after the fork: threads do not survive one."""
        scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        )
        now = self._clock.now()
        # Room for two: a pass chooses its successor while it still counts as running itself.
        scheduler.add_job(self._pass, _every(self._interval), id="pass", next_run_time=now, max_instances=2)
        scheduler.add_job(self._watch, _every(WATCH), id="watch")
        scheduler.add_job(self._boots, _every(PROBE), id="boots")
        self._scheduler = scheduler
        scheduler.start()

    def stop(self) -> None:
        """Stop after the pass in hand. Does nothing where it was never started."""
        # Out of reach first: shutdown holds APScheduler's locks while it waits for the pass, and a pass that
        # tried to schedule the next one meanwhile would wait for those locks.
        with self._lock:
            scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            scheduler.shutdown(wait=True)

    def wake(self) -> None:
        """See Waker.wake. Where this process runs no passes, the one that does will notice by itself."""
        with self._lock:
            if self._wanted:
                return
            self._wanted = True
            if not self._running:
                self._schedule(self._started_at + GAP)

    def _pass(self) -> None:
        with self._lock:
            if self._running:
                return
            self._running = True
            self._wanted = False
            self._started_at = self._clock.now()
        self._finished(self._run())

    def _run(self) -> PassReport | None:
        try:
            self._seen_event = self._newest_event()
            return self._tick()
        except RegistryUnavailable as error:
            log.error("pass.failed", code=error.code, detail=error.detail)  # noqa: TRY400 - the detail says it
        except Exception:
            log.exception("pass.crashed")
        return None

    def _finished(self, report: PassReport | None) -> None:
        """Choose the next pass, in the thread of this one.

        Not in a listener: after a short pass APScheduler calls those while it is still starting the job,
        under the lock that `wake` needs, and then writes the time of the next run over ours.
        """
        with self._lock:
            self._running = False
            if self._wanted or (report is not None and report.changed):
                self._schedule(self._started_at + GAP)
            elif report is not None and report.unsettled:
                self._schedule(self._clock.now() + SETTLING)

    def _watch(self) -> None:
        """Wake where another process has claimed or destroyed something."""
        try:
            if self._newest_event() > self._seen_event:
                self.wake()
        except RegistryUnavailable:
            return  # the pass reports it

    def _boots(self) -> None:
        try:
            if self._settle_boots():
                self.wake()
        except RegistryUnavailable:
            return  # the pass reports it
        except Exception:
            log.exception("boots.crashed")

    def _schedule(self, at: datetime) -> None:
        """Have the next pass run at `at`, unless it is due earlier anyway."""
        if self._scheduler is None:
            return
        job = self._scheduler.get_job("pass")
        if job is not None and (job.next_run_time is None or at < job.next_run_time):
            job.modify(next_run_time=at)


def _every(period: timedelta) -> IntervalTrigger:
    return IntervalTrigger(seconds=period.total_seconds(), timezone=UTC)
