"""How long it will take until there is an instance: honest arithmetic over launches that were measured."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from statistics import median


def typical(measured: Sequence[timedelta]) -> timedelta | None:
    """Return the median of the launch times; None where none was measured."""
    return timedelta(seconds=median(one.total_seconds() for one in measured)) if measured else None


def estimated_wait(
    measured: Sequence[timedelta], booting: Sequence[timedelta], *, ahead: int, more: bool
) -> timedelta | None:
    """Estimate when there will be an instance for one who comes now; None: nobody knows.

    `measured` is how long the last launches took, `booting` how long ago those were launched that are on
    their way in, and `ahead` how many projects get one before. The first to get ready is for the first in
    line; who comes after those on their way waits for a launch that begins now, if there may be `more`.
    """
    usual = typical(measured)
    if usual is None:
        return None
    left = sorted(rest for age in booting if (rest := _left(measured, age)) is not None)
    ours = next(islice(left, ahead, None), None)
    if ours is not None:
        return ours
    return usual if more else None


OVERDUE = 1.5
"""How many times as long as the longest that was measured a launch may take, and still be counted on."""


def _left(measured: Sequence[timedelta], age: timedelta) -> timedelta | None:
    """Say how much longer an instance of this age will take, by those that took longer than that.

    Where none did, it should be ready any moment, and after some time more it may never be: None.
    """
    usual = typical([took for took in measured if took > age])
    if usual is not None:
        return usual - age
    longest = max(measured)
    return longest / 10 if age <= OVERDUE * longest else None
