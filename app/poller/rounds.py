"""What is done for one pool while this replica leads: its passes, and what runs beside them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

import structlog

from app.domain.errors import NotLeading, RegistryUnavailable
from app.domain.model import PoolName
from app.poller.pace import Pace
from app.ports import Mandate, Meter
from app.service.reconcile import PassReport
from app.service.unattended import Unattended

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Jobs:
    """What a leader does for one pool in one term."""

    tick: Callable[[bool, Callable[[], bool]], PassReport]
    """A pass; is told whether somebody wished for it, and asks whether the next one is wished for by now.

    May raise RegistryUnavailable or NotLeading.
    """
    probe: Callable[[], bool]
    """Ask the instances; true where a pass may find news then."""
    examine: Callable[[], bool]
    """Look at the set-up, if it is time to; true as with `probe`."""
    keep_time: Callable[[], bool]
    """End what has had its time; true as with `probe`."""
    watch: Callable[[], bool]
    """Ask allocated instances whether they are used, and end what nobody uses; true as with `probe`."""


NewJobs = Callable[[Mandate], Jobs]
"""Makes a pool's jobs of one term: everything that a leader remembers, it forgets with its term."""


class Rounds:
    """One pool's passes, probes and examinations: nothing of it waits for another pool.

    `beat` is called by one thread at a time, and so is each of the others; where a pass hangs, they go on.
    """

    def __init__(
        self,
        pool: PoolName,
        new_jobs: NewJobs,
        pace: Pace,
        *,
        mandate: Callable[[], Mandate | None],
        listen: Callable[[], None],
        meter: Meter,
        monotonic: Callable[[], float],
    ) -> None:
        """Take `mandate`, which returns that of the running term, and `listen`, which passes wishes on.

        `monotonic` returns seconds that never jump.
        """
        self.pool = pool
        self.pace = pace
        self.passing = Lock()
        """Held while a pass is in hand."""
        self._new_jobs = new_jobs
        self._mandate = mandate
        self._listen = listen
        self._meter = meter
        self._monotonic = monotonic
        self._term: tuple[Mandate, Jobs] | None = None
        self.keep_time = Unattended(
            lambda: self._run_beside(lambda jobs: jobs.keep_time()),
            lambda error: log.error("limits.crashed", pool=pool, exc_info=error),
        )
        """Ends what has had its time, while this replica leads."""
        self.watch = Unattended(
            lambda: self._run_beside(lambda jobs: jobs.watch()),
            lambda error: log.error("activity.crashed", pool=pool, exc_info=error),
        )
        """Asks whether what is allocated is used, while this replica leads."""

    def beat(self) -> None:
        """Run a pass, if one is due and this replica leads."""
        with self.passing:
            self._run_one()

    def probe(self) -> None:
        """Ask the instances, while this replica leads."""
        try:
            self._run_beside(lambda jobs: jobs.probe())
        except Exception:
            log.exception("probes.crashed", pool=self.pool)

    def examine(self) -> None:
        """Look at the set-up if it is time to, while this replica leads."""
        try:
            self._run_beside(lambda jobs: jobs.examine())
        except Exception:
            log.exception("examination.crashed", pool=self.pool)

    def _run_one(self) -> None:
        begun = False
        try:
            jobs = self._jobs()
            if jobs is None:
                return
            self._listen()
            if not self.pace.is_due():
                return
            begun = True
            report = self._pass(jobs)
        except RegistryUnavailable as error:
            if begun or self.pace.is_due():  # not both: what was asked for during this pass is still to come
                log.error("pass.failed", pool=self.pool, code=error.code, detail=error.detail)  # noqa: TRY400 - no bug of ours
                self.pace.retry()
        except NotLeading as error:
            log.warning("pass.abandoned", pool=self.pool, detail=error.detail)
            self.pace.retry()
        except Exception:
            if begun or self.pace.is_due():
                log.exception("pass.crashed", pool=self.pool)
                self.pace.retry()
        else:
            self.pace.follow(report)

    def _pass(self, jobs: Jobs) -> PassReport:
        """Run a pass, and note how it went: one that was put off before it had looked is none."""
        begun, report = self._monotonic(), None
        try:
            report = jobs.tick(self.pace.urgent, self.pace.wanted)
        finally:
            if report is None or report.took_place:
                succeeded = report is not None and not report.failed
                self._meter.passed(self.pool, succeeded=succeeded, took=self._monotonic() - begun)
        return report

    def _jobs(self) -> Jobs | None:
        """Return the jobs of this replica's term, new ones for a new term; None while it does not lead."""
        mandate = self._mandate()
        if mandate is None:
            return None
        if self._term is None or self._term[0] is not mandate:
            self._term = mandate, self._new_jobs(mandate)
            self.pace.begin()
        return self._term[1]

    def _run_beside(self, run: Callable[[Jobs], bool]) -> None:
        """Run a job beside the passes while this replica leads, and a pass soon where it brought news."""
        term = self._term
        with suppress(NotLeading, RegistryUnavailable):  # the pass reports it
            if term is not None and term[0].trusted and run(term[1]):
                self.pace.want()
