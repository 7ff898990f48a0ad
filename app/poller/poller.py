"""When passes run: APScheduler around Reconciler.tick, one at a time, and soon where that is useful."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from threading import Lock

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from app.domain.errors import RegistryUnavailable
from app.poller.aside import Aside
from app.poller.steady import Every, SteadyTime
from app.ports import Turn
from app.service.reconcile import PassReport

log = structlog.get_logger()

# All in seconds.
BEAT = 0.2
"""How often to look whether a pass is due."""
GAP = 0.5
"""The least time from one pass's start to the next: a storm of claims makes two passes a second, no more."""
SETTLING = 2.0
"""The time between two passes while instances boot or terminate, and after one that failed."""
PROBE = 1.0
"""How often instances are probed; where one hangs, the next round waits for it."""
EXAMINE = 5.0
"""How often to ask whether the set-up is to be examined."""
PAUSE = 10.0
"""The time between two passes that could not look at AWS, unless the interval is shorter; it doubles with
each pass that AWS throttled."""
SLOWEST = 120.0
"""The longest time that throttling alone puts between two passes."""
SPREAD = 0.2
"""The share of such a time that is left to chance, so that several callers do not come back together."""
GRACE = 1.0
"""How long the end waits for a probe, and for an examination."""


class Poller:
    """Runs passes: at an interval, soon after `wake`, and again while there is more to do.

    One job beats all the time and runs a pass when one is due; whoever wants a pass only moves the time it is
    due. So nobody touches APScheduler from outside, a wish during a pass is kept for after it, and a job that
    is still running is simply not started a second time. While AWS throttles us, each pass doubles the
    time to the next, and no wish shortens it. Probes and examinations run beside the passes, in threads of
    their own: where they hang, they delay neither a pass nor the end. A wall clock may jump: none is asked.
    """

    def __init__(
        self,
        tick: Callable[[], PassReport],
        probe: Callable[[], bool],
        examine: Callable[[], bool],
        newest_event: Callable[[], int],
        *,
        turn: Turn,
        interval: timedelta,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """Take three jobs: `tick`, a pass; `probe` and `examine`, which say whether a pass may find news.

        `monotonic` returns seconds that never jump, `chance` a random number from 0 up to 1.
        """
        self._tick = tick
        self._probe = probe
        self._examine = examine
        self._newest_event = newest_event
        self._turn = turn
        self._interval = interval.total_seconds()
        self._monotonic = monotonic
        self._chance = chance
        self._lock = Lock()
        self._due_at = self._not_before = monotonic()
        self._started_at = self._due_at - GAP
        self._throttled = 0
        self._on_turn = False
        self._seen_event = 0
        self._scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Begin, with a pass at once. Call it after the fork: threads do not survive one."""
        scheduler = BackgroundScheduler(
            timezone=SteadyTime(self._monotonic),
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
            executors={"default": ThreadPoolExecutor(1), "aside": Aside(GRACE)},
        )
        scheduler.add_job(self._beat, Every(BEAT), id="pass")
        scheduler.add_job(self._probe_all, Every(PROBE), id="probes", executor="aside")
        scheduler.add_job(self._examine_all, Every(EXAMINE), id="examination", executor="aside")
        self._scheduler = scheduler
        scheduler.start()

    def stop(self) -> None:
        """Stop after the pass in hand, and let another process take over. Harmless where never started.

        A probe or an examination that hangs is left behind: its thread ends with the process.
        """
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
                self._retry()
        except Exception:
            if begun or self._is_due():
                log.exception("pass.crashed")
                self._retry()
        else:
            self._follow(report)

    def _is_due(self) -> bool:
        """Whether to run a pass now; if so, the next one is due an interval later, or when somebody asks."""
        now = self._monotonic()
        with self._lock:
            if now < max(self._due_at, self._not_before):
                return False
            self._started_at, self._due_at = now, now + self._interval
        return True

    def _retry(self) -> None:
        """Make up soon for a pass that failed: what it was asked for will not be asked again."""
        with self._lock:
            self._due_at = min(self._due_at, self._monotonic() + SETTLING)

    def _follow(self, report: PassReport) -> None:
        """Choose by what a pass did when the next one is due."""
        with self._lock:
            self._slow_down(report)
            if report.changed:
                self._due_at = min(self._due_at, self._started_at + GAP)
            elif report.unsettled:
                self._due_at = min(self._due_at, self._monotonic() + SETTLING)
            elif report.failed:
                self._due_at = min(self._due_at, self._monotonic() + PAUSE)

    def _slow_down(self, report: PassReport) -> None:
        """Double the time to the next pass with each that was throttled; one that was not ends it."""
        self._throttled = self._throttled + 1 if report.throttled else 0
        if self._throttled:
            pause = min(min(self._interval, PAUSE) * (1 << min(self._throttled, 10)), SLOWEST)
            pause *= 1 - SPREAD * self._chance()
            self._not_before = self._started_at + pause
            # It may have been asked for what it could not do.
            self._due_at = min(self._due_at, self._not_before)
            log.warning("poller.slowed", seconds=round(pause))

    def _probe_all(self) -> None:
        try:
            self._run_beside(self._probe)
        except Exception:
            log.exception("probes.crashed")

    def _examine_all(self) -> None:
        try:
            self._run_beside(self._examine)
        except Exception:
            log.exception("examination.crashed")

    def _run_beside(self, job: Callable[[], bool]) -> None:
        """Run a job beside the passes if it is our turn, and a pass soon where the job brought news."""
        with suppress(RegistryUnavailable):  # the pass reports it
            if self._on_turn and job():
                self.wake()
