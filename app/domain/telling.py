"""When it is told that something keeps a pool's buffer from being met, and that nothing does any more."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.events import EventKind
from app.domain.model import Limit

PATIENCE = timedelta(seconds=30)
"""What is over sooner is not told: a launch that is tried again, a look that failed once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told of a pool."""

    limited_by: Limit | None = None
    """What keeps its buffer from being met, as was told last; None: that nothing does."""
    since: datetime | None = None
    """Since when something does that was not told yet; None: that is not so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is to be told now."""

    kind: EventKind
    limited_by: Limit
    """What keeps the buffer from being met, or did until now."""


def follow(told: Told, limited_by: Limit | None, now: datetime) -> tuple[Told, News | None]:
    """Say what is to be told where a pass found `limited_by`, and what was told after that.

    A limit is told once it has stood for PATIENCE, as it is by then: one that turns into another has begun
    when the first did. One that was told is taken back by the first pass that finds none.
    """
    if limited_by is None:
        if told.limited_by is None:
            return Told(), None
        return Told(), News(kind=EventKind.POOL_RECOVERED, limited_by=told.limited_by)
    if limited_by == told.limited_by:
        return Told(limited_by=limited_by), None
    since = min(told.since or now, now)
    if now - since < PATIENCE:
        return Told(limited_by=told.limited_by, since=since), None
    return Told(limited_by=limited_by), News(kind=EventKind.POOL_LIMITED, limited_by=limited_by)
