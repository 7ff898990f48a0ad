"""The simulator's only source of time: everything else in the package asks here."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]


def utc_now() -> datetime:
    """Return the wall clock in UTC: for what a person or an API reads."""
    return datetime.now(UTC)  # noqa: TID251 - the simulated cloud is a world of its own and owns its clock


def steady() -> float:
    """Return seconds that never jump: for everything that waits."""
    return time.monotonic()


def stamp(moment: datetime) -> str:
    """Write a moment as Auto Scaling writes it inside its sentences: `2026-03-01T12:00:00Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
