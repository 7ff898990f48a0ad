"""Time for APScheduler that never jumps."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.triggers.base import BaseTrigger

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class SteadyTime(tzinfo):
    """A time zone that tells its own time, whatever the wall clock says.

    APScheduler knows the time by `datetime.now(zone)` alone, and waits for a job until the wall clock shows
    its time: one that is set back by an hour would stop all jobs for an hour. Python leaves that call to the
    zone's `fromutc`, and this one answers with `monotonic`, which returns seconds that never jump. So the
    dates in APScheduler's own messages are not today's. Triggers that convert dates (IntervalTrigger,
    CronTrigger) would make nonsense of it: use Every.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic

    def fromutc(self, _wall: datetime, /) -> datetime:
        """Return the steady time."""
        return _BEGINNING.replace(tzinfo=self) + timedelta(seconds=self._monotonic())

    def utcoffset(self, _at: datetime | None, /) -> timedelta:
        """Return nothing: dates of this zone are compared with each other."""
        return timedelta()

    def dst(self, _at: datetime | None, /) -> None:
        """Know no summer."""

    def tzname(self, _at: datetime | None, /) -> str:
        """Name the zone for messages."""
        return "steady"


class Every(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Runs a job at once, and then so many seconds after it was started last; what was missed is left out."""

    def __init__(self, seconds: float) -> None:
        self._period = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return when to run next."""
        return now if previous is None else now + self._period
