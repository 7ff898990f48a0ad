"""When the next pass of one pool is due."""

from collections.abc import Callable
from threading import Lock

import structlog

from app.domain.model import PoolName
from app.service.reconcile import PassReport

log = structlog.get_logger()

# All in seconds.
GAP = 0.2
"""The least time from one pass's start to the next: a storm of claims makes five passes a second, no more.
How many AWS bears for long is a matter of the budget."""
AFTERWARDS = 0.5
"""The time from the start of a pass that changed something to the next, unless somebody wishes for one; and
from one that had to leave something, for want of calls, whoever wishes: five looks a second would use up all
that the budget regains, and what was left would be left for ever."""
SETTLING = 2.0
"""The time between two passes while instances boot or terminate, and after one that failed."""
PAUSE = 10.0
"""The time between two passes that could not look at AWS, unless the interval is shorter; it doubles with
each pass that AWS throttled."""
SLOWEST = 120.0
"""The longest time that throttling alone puts between two passes."""
SPREAD = 0.2
"""The share of such a time that is left to chance, so that several callers do not come back together."""


class Pace:
    """Knows when a pass is due: at an interval, soon after a wish, and while there is more to do.

    Whoever wants a pass only moves the time it is due, so a wish during a pass is kept for after it. While
    AWS throttles us, each pass doubles the time to the next, and no wish shortens it. Safe between threads.
    """

    def __init__(
        self,
        pool: PoolName,
        *,
        interval: float,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """`monotonic` returns seconds that never jump, `chance` a random number from 0 up to 1."""
        self._pool = pool
        self._interval = interval
        self._monotonic = monotonic
        self._chance = chance
        self._lock = Lock()
        self._due_at = self._not_before = monotonic()
        self._started_at = self._due_at - GAP
        self._throttled = 0
        self._failing_since: float | None = None
        self._wished = False
        self._urgent = False

    def begin(self) -> None:
        """Begin a term: with a pass at once, and no memory of what was slow or failed in another."""
        with self._lock:
            self._due_at = self._not_before = self._monotonic()
            self._throttled = 0
            self._failing_since = None

    def want(self) -> None:
        """Have a pass run as soon as may be."""
        with self._lock:
            self._wished = True
            self._due_at = min(self._due_at, self._started_at + GAP)

    def is_due(self) -> bool:
        """Whether to run a pass now; if so, the next one is due an interval later, or when somebody asks."""
        now = self._monotonic()
        with self._lock:
            if now < max(self._due_at, self._not_before):
                return False
            self._started_at, self._due_at = now, now + self._interval
            self._urgent, self._wished = self._wished, False
            if self._failing_since is None:
                self._failing_since = now  # until it has succeeded
        return True

    @property
    def urgent(self) -> bool:
        """Whether the pass that began last was wished for."""
        return self._urgent

    def wanted(self) -> bool:
        """Say whether somebody has wished for a pass since the last one began."""
        return self._wished

    def retry(self) -> None:
        """Make up soon for a pass that failed: what it was asked for will not be asked again."""
        with self._lock:
            self._due_at = min(self._due_at, self._monotonic() + SETTLING)

    def follow(self, report: PassReport) -> None:
        """Choose by what a pass did when the next one is due."""
        with self._lock:
            self._slow_down(report)
            if not report.failed or report.throttled:  # AWS throttles the account: nobody would fare better
                self._failing_since = None
            if report.put_off is not None:
                # Not sooner, but for a new wish: a look would use up what it waits for.
                self._not_before = max(self._not_before, self._started_at + AFTERWARDS)
                self._due_at = min(self._due_at, self._monotonic() + report.put_off)
                self._wished |= self._urgent
            elif report.changed:
                self._due_at = min(self._due_at, self._started_at + AFTERWARDS)
            elif report.unsettled:
                self._due_at = min(self._due_at, self._monotonic() + SETTLING)
            elif report.failed:
                self._due_at = min(self._due_at, self._monotonic() + PAUSE)

    def failing_for(self) -> float:
        """Return for how many seconds passes have failed, or one has hung; 0 after a good one."""
        with self._lock:
            return 0.0 if self._failing_since is None else self._monotonic() - self._failing_since

    def count_anew(self) -> None:
        """Count how long passes fail from now on."""
        with self._lock:
            self._failing_since = self._monotonic()

    def _slow_down(self, report: PassReport) -> None:
        """Double the time to the next pass with each that was throttled; one that was not ends it."""
        self._throttled = self._throttled + 1 if report.throttled else 0
        if self._throttled:
            pause = min(min(self._interval, PAUSE) * (1 << min(self._throttled, 10)), SLOWEST)
            pause *= 1 - SPREAD * self._chance()
            self._not_before = self._started_at + pause
            # It may have been asked for what it could not do.
            self._due_at = min(self._due_at, self._not_before)
            log.warning("poller.slowed", pool=self._pool, seconds=round(pause))
