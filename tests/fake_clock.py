"""Clocks for tests."""

from datetime import datetime, timedelta
from time import monotonic

from tests.builders import NOW


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta | float) -> None:
        """Move on by a timedelta, or by seconds."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)


class Stopwatch:
    """Seconds as `time.monotonic` counts them, from anywhere; they stand until they are moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class FastWatch:
    """The real seconds, and those that the test has added: whoever waits for them wakes up by itself."""

    def __init__(self) -> None:
        self._added = 0.0

    def __call__(self) -> float:
        return monotonic() + self._added

    def advance(self, seconds: float) -> None:
        self._added += seconds
