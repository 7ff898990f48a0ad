"""When a message that was not taken is sent again, and when it is given up."""

from datetime import timedelta

PAUSES = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(hours=24),
    timedelta(hours=24),
)
"""Before the second try, the third, and so on: almost three days in all."""
SPREAD = 0.2
"""How much longer than that a pause may be, by chance: what failed together does not come back together."""
LONGEST_WISH = timedelta(hours=1)
"""How long a receiver may ask us to wait before the next try of one message."""
LONGEST_REST = timedelta(seconds=60)
"""How long it may ask us to wait with all of them."""
LIFE = timedelta(days=3, hours=12)
"""After that long a message is given up, however often it was tried: all its tries fit into it, and where
nobody comes to send them, messages do not pile up for ever."""


def again_in(
    tries: int, *, chance: float, wish: timedelta | None = None, gone: bool = False
) -> timedelta | None:
    """Return how long to wait after the last of so many `tries`; None: give it up.

    `chance` is from 0 up to 1. A receiver's `wish` makes a pause longer, not shorter; one that is `gone` for
    good is not tried again.
    """
    if gone or tries > len(PAUSES):
        return None
    pause = PAUSES[tries - 1] * (1 + SPREAD * chance)
    return pause if wish is None else max(pause, min(wish, LONGEST_WISH))
