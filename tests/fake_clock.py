"""Clocks for tests."""

from datetime import datetime, timedelta

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

    def advance(self, seconds: float) -> float:
        """Move on; return the time then."""
        self.seconds += seconds
        return self.seconds
