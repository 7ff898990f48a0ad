"""Why members are missing: asked of AWS while they are, and not more than once a minute."""

from datetime import datetime, timedelta

import structlog

from app.domain.errors import BudgetSpent, CloudError, Denied
from app.domain.model import Limit, PoolName
from app.domain.setbacks import LaunchFailure
from app.domain.settled import Unsettled
from app.ports import Clock, Cloud
from app.service.permits import Feature, Permits

log = structlog.get_logger()

PATIENCE = timedelta(seconds=5)
"""How long members may be missing before we ask: AWS takes a moment to launch in any case."""
ASKED_EVERY = timedelta(minutes=1)
UNEXPLAINED = timedelta(minutes=2)
"""How long members may be missing before that alone is worth a report."""
LATELY = timedelta(hours=1)
"""How old a failed launch may be to explain what is missing now: a group that fails tries ever less often."""


class Shortage:
    """Keeps the newest reason why the group has fewer members than desired."""

    def __init__(self, pool: PoolName, cloud: Cloud, permits: Permits, clock: Clock) -> None:
        self._pool = pool
        self._cloud = cloud
        self._permits = permits
        self._clock = clock
        self._since: datetime | None = None
        self._asked_at: datetime | None = None
        self._failure: LaunchFailure | None = None

    def failure(self, rest: Unsettled) -> LaunchFailure | None:
        """Return what kept AWS from launching what this look misses; None where nothing is missing."""
        now = self._clock.now()
        if not _members_missing(rest):
            self._since = self._asked_at = self._failure = None
            return None
        self._since = self._since or now
        if self._failure is None and now - self._since >= UNEXPLAINED and rest.seen.group.launches:
            return LaunchFailure(
                limit=Limit.AWS_ERRORS,
                message="they have been missing for two minutes, and AWS does not say why, or not to us.",
                at=self._since,
            )
        return self._failure

    def ask(self) -> bool:
        """Ask AWS if it is time to; true where the answer is news."""
        now = self._clock.now()
        if (
            self._since is None
            or now - self._since < PATIENCE
            or not self._permits.granted(Feature.ACTIVITIES)
        ):
            return False
        if self._asked_at is not None and now - self._asked_at < ASKED_EVERY:
            return False
        self._asked_at = now
        try:
            # From before the look on: what failed at once is older than the look that shows the gap.
            failures = self._cloud.launch_failures(self._since - ASKED_EVERY)
        except Denied as error:
            self._permits.deny(Feature.ACTIVITIES, error)
            return True
        except BudgetSpent:
            self._asked_at = None  # the next pass asks
            return False
        except CloudError as error:
            log.warning("activities.unread", pool=self._pool, code=error.code, detail=error.detail)
            return False
        self._permits.grant(Feature.ACTIVITIES)
        before, self._failure = self._failure, failures[0] if failures else self._failure
        return before is None and self._failure is not None


def _members_missing(rest: Unsettled) -> bool:
    desired = rest.seen.group.desired
    if desired is None:
        return False
    return rest.settled + sum(look.serving for look in rest.seen.staying) < desired


def newest_failure(rest: Unsettled, cloud: Cloud, clock: Clock) -> LaunchFailure | None:
    """Ask AWS at once why this look misses members; None where it misses none, or there is no answer."""
    if not _members_missing(rest):
        return None
    try:
        failures = cloud.launch_failures(clock.now() - LATELY)
    except CloudError:
        return None
    return failures[0] if failures else None
