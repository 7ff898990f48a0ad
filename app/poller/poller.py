"""When passes run: APScheduler around each pool's rounds, all under one leadership."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from threading import Lock

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from app.domain.model import PoolName
from app.poller.aside import Aside
from app.poller.pace import Pace
from app.poller.rounds import NewJobs, Rounds
from app.poller.steady import Every, SteadyTime
from app.ports import Bell, Meter
from app.service.leadership import Leadership
from app.service.unattended import Unattended

log = structlog.get_logger()

# All in seconds.
BEAT = 0.1
"""How often to look whether a pass is due."""
PROBE = 1.0
"""How often instances are probed; where one hangs, the next round waits for it."""
KEEP_TIME = 1.0
"""How often to look whether something has had its time."""
WATCH = 1.0
"""How often to ask whether allocated instances are used: each time those whose turn it is."""
EXAMINE = 5.0
"""How often to ask whether the set-up is to be examined."""
SAMPLE = 2.0
"""How often to ask whether samples are to be taken: several times in a grain of theirs."""
DELIVER = 1.0
"""How often to look whether messages are to be sent; where that hangs, the next round waits for it."""
KEEP = 0.5
"""How often to see to leadership: how long a free term stands free, at most."""
GRACE = 1.0
"""How long the end waits for a probe, for an examination, and for samples."""
STUCK = 120.0
"""How long a leader's passes may fail, or hang, in every pool, before it lets another replica try."""


class Poller:
    """Runs the passes of every pool while this replica leads.

    Each pool has a beat of its own, in a thread that no other pool uses: it beats all the time and runs a
    pass when one is due (see Pace). So nobody touches APScheduler from outside, a job that is still running
    is simply not started a second time, and a pool whose passes hang, fail or are throttled delays no other.
    Probes and examinations run beside the passes, in threads of their own, and so do the samples that the
    leader takes of all pools: where they hang, they delay neither a pass nor the end. A wall clock may jump:
    none is asked.
    """

    def __init__(
        self,
        pools: Mapping[PoolName, NewJobs],
        *,
        leadership: Leadership,
        bell: Bell,
        intervals: Mapping[PoolName, timedelta],
        sample: Callable[[], None],
        deliver: Callable[[], None] | None = None,
        meter: Meter,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """Take for each pool what makes its jobs of one term, and the time between its passes at rest.

        `sample` takes a sample of all pools, if it is time to, and `deliver` sends the messages that are due;
        both may raise RegistryUnavailable. `monotonic` returns seconds that never jump, `chance` a random
        number from 0 up to 1.
        """
        self._leadership = leadership
        self._bell = bell
        self._sample = Unattended(sample, lambda error: log.error("samples.crashed", exc_info=error))
        self._deliver = deliver and Unattended(
            deliver, lambda error: log.error("webhook.crashed", exc_info=error)
        )
        self._meter = meter
        self._monotonic = monotonic
        self._hearing = Lock()
        self._heard_at = monotonic() - BEAT
        self._rounds = {
            pool: self._new_rounds(pool, new, intervals[pool], chance) for pool, new in pools.items()
        }
        self._scheduler: BackgroundScheduler | None = None

    def _new_rounds(
        self, pool: PoolName, new_jobs: NewJobs, interval: timedelta, chance: Callable[[], float]
    ) -> Rounds:
        pace = Pace(pool, interval=interval.total_seconds(), monotonic=self._monotonic, chance=chance)
        return Rounds(
            pool,
            new_jobs,
            pace,
            mandate=lambda: self._leadership.mandate,
            listen=self._pass_word_on,
            meter=self._meter,
            monotonic=self._monotonic,
        )

    def start(self) -> None:
        """Begin, with a pass of each pool at once. Call it after the fork: threads do not survive one."""
        scheduler = BackgroundScheduler(
            timezone=SteadyTime(self._monotonic),
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
            executors={"default": ThreadPoolExecutor(len(self._rounds)), "aside": Aside(GRACE)},
        )
        scheduler.add_job(self._keep, Every(KEEP), id="leadership", executor="aside")
        scheduler.add_job(self._take_samples, Every(SAMPLE), id="samples", executor="aside")
        if self._deliver is not None:
            scheduler.add_job(self._deliver_messages, Every(DELIVER), id="webhook", executor="aside")
        for pool, rounds in self._rounds.items():
            scheduler.add_job(rounds.beat, Every(BEAT), id=f"pass of {pool}")
            scheduler.add_job(rounds.keep_time, Every(KEEP_TIME), id=f"limits of {pool}", executor="aside")
            scheduler.add_job(rounds.watch, Every(WATCH), id=f"activity of {pool}", executor="aside")
            scheduler.add_job(rounds.probe, Every(PROBE), id=f"probes of {pool}", executor="aside")
            scheduler.add_job(rounds.examine, Every(EXAMINE), id=f"examination of {pool}", executor="aside")
        self._scheduler = scheduler
        scheduler.start()

    def stop(self) -> None:
        """Stop after the passes in hand, and let another process take over. Harmless where never started.

        A probe or an examination that hangs is left behind: its thread ends with the process.
        """
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            for job in scheduler.get_jobs():
                if job.id != "leadership":
                    job.remove()
        with ExitStack() as over:  # leadership is kept until all are
            for rounds in self._rounds.values():
                over.enter_context(rounds.passing)
            self._leadership.resign()
        self._tell_whether_it_leads()
        if scheduler is not None:
            scheduler.shutdown(wait=True)

    def wake(self, pool: PoolName | None = None) -> None:
        """See Waker.wake. Where this replica does not lead, the one that does gets word."""
        if self._leadership.mandate is None:
            self._bell.ring(pool)
            return
        for rounds in self._rounds.values():
            if pool in {None, rounds.pool}:
                rounds.pace.want()

    def _keep(self) -> None:
        try:
            if self._is_stuck():
                log.warning("leadership.stuck", detail="no pass succeeds: another replica may fare better")
                self._leadership.step_aside()
            self._tell_whether_it_leads()  # also before, because a database that is away is waited for
            self._leadership.keep()
        except Exception:
            log.exception("leadership.crashed")
        self._tell_whether_it_leads()

    def _tell_whether_it_leads(self) -> None:
        self._meter.leads(self._leadership.mandate is not None)

    def _take_samples(self) -> None:
        """Have the leader alone do it: it would be done once for each replica else."""
        if self._leadership.mandate is not None:
            self._sample()

    def _deliver_messages(self) -> None:
        """Have the leader alone do it: each message would be sent by every replica else."""
        if self._deliver is not None and self._leadership.mandate is not None:
            self._deliver()

    def _is_stuck(self) -> bool:
        """Whether the passes of every pool hang or fail for so long that another replica had better try.

        One pool with good passes shows that it is not this replica's fault.
        """
        if self._leadership.mandate is None:
            return False
        if any(rounds.pace.failing_for() < STUCK for rounds in self._rounds.values()):
            return False
        for rounds in self._rounds.values():
            rounds.pace.count_anew()
        return True

    def _pass_word_on(self) -> None:
        """Ask the bell, for all pools: once, though each of them beats. Raises what the bell raises."""
        with self._hearing:
            if self._monotonic() - self._heard_at < BEAT / 2:
                return
            news = self._bell.rang()
            self._heard_at = self._monotonic()
        for pool in news & self._rounds.keys():
            self._rounds[pool].pace.want()
