"""The machine's own clock."""

from datetime import UTC, datetime


class SystemClock:
    """The Clock port by the wall clock."""

    def now(self) -> datetime:
        """See Clock.now."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that asks for the time
