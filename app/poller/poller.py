"""When passes run: APScheduler around Reconciler.tick, one at a time, and soon where that is useful."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from app.domain.errors import NotLeading, RegistryUnavailable
from app.poller.aside import Aside
from app.poller.steady import Every, SteadyTime
from app.ports import Bell, Mandate
from app.service.leadership import Leadership
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
KEEP = 0.5
"""How often to see to leadership: how long a free term stands free, at most."""
PAUSE = 10.0
"""The time between two passes that could not look at AWS, unless the interval is shorter; it doubles with
each pass that AWS throttled."""
SLOWEST = 120.0
"""The longest time that throttling alone puts between two passes."""
SPREAD = 0.2
"""The share of such a time that is left to chance, so that several callers do not come back together."""
GRACE = 1.0
"""How long the end waits for a probe, and for an examination."""
STUCK = 120.0
"""How long a leader's passes may fail, or one may hang, before it lets another replica try."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a leader does in one term."""

    tick: Callable[[], PassReport]
    """A pass. May raise RegistryUnavailable or NotLeading."""
    probe: Callable[[], bool]
    """Ask the instances; true where a pass may find news then."""
    examine: Callable[[], bool]
    """Look at the set-up, if it is time to; true as with `probe`."""


class Poller:
    """Runs passes while this replica leads: at an interval, soon after `wake`, and while there is more to do.

    One job beats all the time and runs a pass when one is due; whoever wants a pass only moves the time it is
    due. So nobody touches APScheduler from outside, a wish during a pass is kept for after it, and a job that
    is still running is simply not started a second time. While AWS throttles us, each pass doubles the
    time to the next, and no wish shortens it. Probes and examinations run beside the passes, in threads of
    their own: where they hang, they delay neither a pass nor the end. A wall clock may jump: none is asked.
    """

    def __init__(
        self,
        jobs: Callable[[Mandate], Jobs],
        *,
        leadership: Leadership,
        bell: Bell,
        interval: timedelta,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """Take `jobs`, which makes those of one term.

        `monotonic` returns seconds that never jump, `chance` a random number from 0 up to 1.
        """
        self._new_jobs = jobs
        self._leadership = leadership
        self._bell = bell
        self._interval = interval.total_seconds()
        self._monotonic = monotonic
        self._chance = chance
        self._lock = Lock()
        self._due_at = self._not_before = monotonic()
        self._started_at = self._due_at - GAP
        self._throttled = 0
        self._passing = Lock()
        self._failing_since: float | None = None
        self._term: tuple[Mandate, Jobs] | None = None
        self._scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Begin, with a pass at once. Call it after the fork: threads do not survive one."""
        scheduler = BackgroundScheduler(
            timezone=SteadyTime(self._monotonic),
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
            executors={"default": ThreadPoolExecutor(1), "aside": Aside(GRACE)},
        )
        scheduler.add_job(self._keep, Every(KEEP), id="leadership", executor="aside")
        scheduler.add_job(self._beat, Every(BEAT), id="pass")
        scheduler.add_job(self._probe_all, Every(PROBE), id="probes", executor="aside")
        scheduler.add_job(self._examine_all, Every(EXAMINE), id="examination", executor="aside")
        self._scheduler = scheduler
        scheduler.start()

    def stop(self) -> None:
        """Stop after the pass in hand, and let another process take over. Harmless where never started.

        A probe or an examination that hangs is left behind: its thread ends with the process.
        """
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            for job in ("pass", "probes", "examination"):
                scheduler.remove_job(job)
        with self._passing:  # leadership is kept until it is over
            self._leadership.resign()
        if scheduler is not None:
            scheduler.shutdown(wait=True)

    def wake(self) -> None:
        """See Waker.wake. Where this replica does not lead, the one that does gets word."""
        if self._leadership.mandate is None:
            self._bell.ring()
        else:
            self._want_one()

    def _want_one(self) -> None:
        with self._lock:
            self._due_at = min(self._due_at, self._started_at + GAP)

    def _keep(self) -> None:
        try:
            if self._is_stuck():
                log.warning("leadership.stuck", detail="no pass succeeds: another replica may fare better")
                self._leadership.step_aside()
            self._leadership.keep()
        except Exception:
            log.exception("leadership.crashed")

    def _is_stuck(self) -> bool:
        """Whether passes hang or fail for so long that it is better to let another replica try."""
        now = self._monotonic()
        with self._lock:
            since = self._failing_since
            if self._leadership.mandate is None or since is None or now - since < STUCK:
                return False
            self._failing_since = now
        return True

    def _beat(self) -> None:
        with self._passing:
            self._run_one()

    def _run_one(self) -> None:
        begun = False
        try:
            jobs = self._jobs()
            if jobs is None:
                return
            if self._bell.rang():
                self._want_one()
            if not self._is_due():
                return
            begun = True
            report = jobs.tick()
        except RegistryUnavailable as error:
            if begun or self._is_due():  # not both: what was asked for during this pass is still to come
                log.error("pass.failed", code=error.code, detail=error.detail)  # noqa: TRY400 - no bug of ours
                self._retry()
        except NotLeading as error:
            log.warning("pass.abandoned", detail=error.detail)
            self._retry()
        except Exception:
            if begun or self._is_due():
                log.exception("pass.crashed")
                self._retry()
        else:
            self._follow(report)

    def _jobs(self) -> Jobs | None:
        """Return the jobs of this replica's term, new ones for a new term; None while it does not lead."""
        mandate = self._leadership.mandate
        if mandate is None:
            return None
        if self._term is None or self._term[0] is not mandate:
            self._term = mandate, self._new_jobs(mandate)
            with self._lock:
                self._due_at = self._not_before = self._monotonic()
                self._throttled = 0
                self._failing_since = None
        return self._term[1]

    def _is_due(self) -> bool:
        """Whether to run a pass now; if so, the next one is due an interval later, or when somebody asks."""
        now = self._monotonic()
        with self._lock:
            if now < max(self._due_at, self._not_before):
                return False
            self._started_at, self._due_at = now, now + self._interval
            if self._failing_since is None:
                self._failing_since = now  # until it has succeeded
        return True

    def _retry(self) -> None:
        """Make up soon for a pass that failed: what it was asked for will not be asked again."""
        with self._lock:
            self._due_at = min(self._due_at, self._monotonic() + SETTLING)

    def _follow(self, report: PassReport) -> None:
        """Choose by what a pass did when the next one is due."""
        with self._lock:
            self._slow_down(report)
            if not report.failed or report.throttled:  # AWS throttles the account: nobody would fare better
                self._failing_since = None
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
            self._run_beside(lambda jobs: jobs.probe())
        except Exception:
            log.exception("probes.crashed")

    def _examine_all(self) -> None:
        try:
            self._run_beside(lambda jobs: jobs.examine())
        except Exception:
            log.exception("examination.crashed")

    def _run_beside(self, run: Callable[[Jobs], bool]) -> None:
        """Run a job beside the passes while this replica leads, and a pass soon where it brought news."""
        term = self._term
        with suppress(NotLeading, RegistryUnavailable):  # the pass reports it
            if term is not None and term[0].trusted and run(term[1]):
                self._want_one()
