"""The running copies of this service, as the others see them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

BEAT = timedelta(seconds=10)
"""How often a replica says that it is there."""
GONE = timedelta(seconds=35)
"""How long after its last word a replica is taken for gone: three beats and a bit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One process that serves requests, or runs passes, or both."""

    name: str
    """HOST:PID:CHANCE, as in leases and logs."""
    version: str
    started_at: datetime
    """By its own clock."""
    serves: bool
    """Whether it answers requests."""
    polls: bool
    """Whether it stands for leadership."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenReplica(Replica):
    """A replica, and when it last said that it is there."""

    seen_at: datetime
    """By the database's clock, whatever its own shows."""
