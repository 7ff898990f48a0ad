"""Which optional permissions AWS grants us: what is denied is left out for a while, and said once."""

from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from app.domain.errors import Denied
from app.domain.model import Notice, PoolName
from app.ports import Clock

log = structlog.get_logger()

ASK_AGAIN = timedelta(minutes=5)
"""After how long a permission that was denied is tried again."""


class Feature(StrEnum):
    """What the service can do without, each by one permission."""

    TAGS = "tags"
    """Write on an instance who holds it."""
    PROTECTION = "protection"
    """Protect instances from scale-in, where the group does not."""
    ACTIVITIES = "activities"
    """Ask why instances are not launched."""


class Permits:
    """Remembers what AWS denied to a pool, for five minutes each."""

    def __init__(self, pool: PoolName, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._denied: dict[Feature, tuple[datetime, Notice]] = {}

    def granted(self, feature: Feature) -> bool:
        """Whether to try: true until it is denied, and again some time later."""
        denied = self._denied.get(feature)
        return denied is None or self._clock.now() - denied[0] >= ASK_AGAIN

    def deny(self, feature: Feature, error: Denied) -> None:
        """Note that AWS denied it."""
        if feature not in self._denied:
            log.warning("permission.denied", pool=self._pool, feature=feature.value, detail=error.detail)
        self._denied[feature] = (self._clock.now(), Notice(code=error.code, detail=error.detail))

    def grant(self, feature: Feature) -> None:
        """Note that AWS allowed it."""
        self._denied.pop(feature, None)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What is denied at the moment."""
        return tuple(notice for _, notice in self._denied.values())
