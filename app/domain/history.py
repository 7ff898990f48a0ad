"""What a pool looked like over the last hours: a figure every few seconds, and not for ever."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.domain.model import PoolName

GRAIN = timedelta(seconds=15)
"""The time between two samples of a pool."""
KEPT = timedelta(hours=24)
"""How long samples are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One pool at one moment."""

    pool: PoolName
    at: datetime
    """The beginning of its grain of time: a pool has one sample in each."""
    idle: int
    allocated: int
    booting: int
    waiting: int
    """Projects that asked in vain a moment before."""
    buffer: int
    desired: int | None
    """None: AWS did not say."""


def grain_of(moment: datetime) -> datetime:
    """Return the beginning of the grain of time that a moment falls in."""
    seconds = GRAIN.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)
