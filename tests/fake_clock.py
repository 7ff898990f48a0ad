"""A clock for tests."""

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
