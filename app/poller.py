"""When passes run: APScheduler around Reconciler.tick, one at a time, and soon where that is useful."""

from collections.abc import Callable
from datetime import UTC, timedelta
from threading import Lock

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app.domain.errors import RegistryUnavailable
from app.ports import Clock, Turn
from app.service.reconcile import PassReport

log = structlog.get_logger()

BEAT = timedelta(seconds=0.2)
"""How often to look whether a pass is due."""
GAP = timedelta(seconds=0.5)
"""The least time from one pass's start to the next: a storm of claims makes two passes a second, no more."""
SETTLING = timedelta(seconds=2)
"""The time between two passes while instances boot or terminate."""
PROBE = timedelta(seconds=1)
"""How often instances are probed; where one hangs, the next round waits for it."""
SLOWEST = timedelta(minutes=2)
"""The longest time between two passes while AWS throttles us, unless the interval itself is longer."""
SPREAD = 0.2
"""The share of such a time that is left to chance, so that several callers do not come back together."""


class Poller:
    """Runs passes: at an interval, soon after `wake`, and again while there is more to do.

    One job beats all the time and runs a pass when one is due; whoever wants a pass only moves the time it is
    due. So nobody touches APScheduler from outside, a wish during a pass is kept for after it, and a job that
    is still running is simply not started a second time. While AWS throttles us, each pass doubles the
    time to the next, and no wish shortens it.
    """

    def __init__(
        self,
        tick: Callable[[], PassReport],
        probe: Callable[[], bool],
        newest_event: Callable[[], int],
        *,
        turn: Turn,
        interval: timedelta,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        """Take two jobs: `tick`, a pass, and `probe`, which says whether a pass may find more to do.

        `chance` returns a random number from 0 up to 1.
        """
        self._tick = tick
        self._probe = probe
        self._newest_event = newest_event
        self._turn = turn
        self._interval = interval
        self._clock = clock
        self._chance = chance
        self._lock = Lock()
        self._started_at = clock.now() - GAP
        self._due_at = clock.now()
        self._throttled = 0
        self._not_before = clock.now()
        self._on_turn = False
        self._seen_event = 0
        self._scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Begin, with a pass at once. Call it after the fork: threads do not survive one."""
        scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        )
        now = self._clock.now()
        scheduler.add_job(self._beat, _every(BEAT), id="pass", next_run_time=now)
        scheduler.add_job(self._probe_all, _every(PROBE), id="probes")
        self._scheduler = scheduler
        scheduler.start()

    def stop(self) -> None:
        """Stop after the pass in hand, and let another process take over. Harmless where never started."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None
        self._turn.give_back()

    def wake(self) -> None:
        """See Waker.wake. Where this process runs no passes, the one that does will notice by itself."""
        with self._lock:
            self._due_at = min(self._due_at, self._started_at + GAP)

    def _beat(self) -> None:
        begun = False
        try:
            self._on_turn = self._turn.take()
            if not self._on_turn:
                return
            newest = self._newest_event()
            if newest > self._seen_event:  # this process has woken us already, another one has not
                self.wake()
            if not self._is_due():
                return
            begun = True
            self._seen_event = newest
            report = self._tick()
        except RegistryUnavailable as error:
            if begun or self._is_due():  # not both: what was asked for during this pass is still to come
                log.error("pass.failed", code=error.code, detail=error.detail)  # noqa: TRY400 - no bug of ours
            return
        except Exception:
            log.exception("pass.crashed")
            return
        with self._lock:
            self._slow_down(report)
            if report.changed:
                self._due_at = min(self._due_at, self._started_at + GAP)
            elif report.unsettled:
                self._due_at = min(self._due_at, self._clock.now() + SETTLING)

    def _is_due(self) -> bool:
        """Whether to run a pass now; if so, the next one is due an interval later, or when somebody asks."""
        now = self._clock.now()
        with self._lock:
            if now < max(self._due_at, self._not_before):
                return False
            self._started_at, self._due_at = now, now + self._interval
        return True

    def _slow_down(self, report: PassReport) -> None:
        """Double the time to the next pass with each that was throttled; one that was not ends it."""
        self._throttled = self._throttled + 1 if report.throttled else 0
        if self._throttled:
            pause = min(self._interval * (1 << min(self._throttled, 10)), max(SLOWEST, self._interval))
            self._not_before = self._started_at + pause * (1 - SPREAD * self._chance())
            log.warning("poller.slowed", seconds=round((self._not_before - self._started_at).total_seconds()))

    def _probe_all(self) -> None:
        try:
            if self._on_turn and self._probe():
                self.wake()
        except RegistryUnavailable:
            return  # the pass reports it
        except Exception:
            log.exception("probes.crashed")


def _every(period: timedelta) -> IntervalTrigger:
    return IntervalTrigger(seconds=period.total_seconds(), timezone=UTC)
