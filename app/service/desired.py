"""What became of desired capacity since we looked last: what we wrote, and what somebody else did."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.model import Notice
from app.ports import Clock

SHOWS_WITHIN = timedelta(seconds=30)
"""How long a raised desired capacity may take to show as new members."""
REMEMBERED = timedelta(seconds=60)
"""How long a change of ours may take to show in a look, for all that AWS's lists lag."""
REPORTED = timedelta(minutes=10)
"""How long a change by others is reported."""


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody else wrote desired capacity."""

    before: int
    after: int
    at: datetime


class DesiredLog:
    """Knows our own writes of desired capacity, and finds out others' by them. In memory alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._raised: tuple[datetime, int] | None = None
        self._writes: list[tuple[datetime, int]] = []
        self._ends: list[datetime] = []
        self._seen: int | None = None
        self._move: Move | None = None

    @property
    def awaits_members(self) -> bool:
        """Whether what we raised may still have to show as new members."""
        return self._raised is not None and self._clock.now() - self._raised[0] < SHOWS_WITHIN

    @property
    def raised_to(self) -> int | None:
        """What we lately wrote, less what our terminations have taken from it since."""
        return self._raised[1] if self._raised is not None and self.awaits_members else None

    def wrote(self, target: int) -> None:
        """Note that we wrote desired capacity, or may have."""
        self._raised = (self._clock.now(), target)
        self._writes.append(self._raised)

    def ended(self, *, surely: bool) -> None:
        """Note a termination with decrement: one that AWS accepted, or may have."""
        self._ends.append(self._clock.now())
        if surely and self._raised is not None:
            self._raised = (self._raised[0], self._raised[1] - 1)

    def look(self, desired: int | None) -> Move | None:
        """Take note of what a look shows; return the move where it was none of ours."""
        if desired is None:
            return None
        now, before, self._seen = self._clock.now(), self._seen, desired
        ours = [desired if before is None else before, *(target for _, target in self._writes)]
        low, high = min(ours) - len(self._ends), max(ours)
        # Only now: what we did since the last look counts, however long ago that was.
        self._writes = [write for write in self._writes if now - write[0] < REMEMBERED]
        self._ends = [at for at in self._ends if now - at < REMEMBERED]
        if before is None or low <= desired <= high:
            return None
        self._move = Move(before, desired, now)
        return self._move

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Report the last move by somebody else, for a while."""
        move = self._move
        if move is None or self._clock.now() - move.at >= REPORTED:
            return ()
        return (
            Notice(
                code="desired-moved",
                detail=f"Desired capacity went from {move.before} to {move.after} at {move.at:%H:%M:%S} UTC, "
                "and not by us: a scaling policy, a scheduled action, or somebody by hand.",
            ),
        )
