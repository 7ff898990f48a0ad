"""How often AWS is called: a bucket of tokens for each of its services, that fills at a steady rate."""

from collections.abc import Callable
from threading import Lock

from app.domain.errors import BudgetSpent

BURST = 100.0
"""Calls that may follow each other at once, when there were none for a while."""

RESERVE = 20.0
"""Tokens that changes leave in a bucket, so that looks are never starved by them."""

DEBT = 100.0
"""How far a raise of desired capacity may take a bucket into debt.

Where the group itself may not be read, a look costs a token for each fifty instances of the account: in a
large one it leaves less than any reserve, each time, and the pool would never grow. A pass raises desired
capacity once at most, and begins with a look, which waits until the debt is paid back.
"""

PER_SECOND = {"autoscaling": 5.0, "ec2": 10.0}
"""Calls a second that each service is asked at most, over time.

"Amazon EC2 API throttling" in the EC2 developer guide names a burst and a rate for each action in an account
and region: 100 and 20 a second for DescribeInstances, 100 and 10 for CreateTags. Auto Scaling has one bucket
for all its actions, of a size that is not published, and everybody else in the account drains it, too: so it
is asked half as much.
"""


class Budget:
    """One bucket. Safe between threads.

    A call is let in or refused before it begins; each request it then sends costs a token, further pages and
    retries too. A call that was let in is never broken off: it may leave the bucket in debt, and then the
    next calls wait until that is paid back. `clock` returns seconds that never jump.
    """

    def __init__(self, clock: Callable[[], float], *, per_second: float) -> None:
        self._clock = clock
        self._per_second = per_second
        self._lock = Lock()
        self._tokens = BURST
        self._filled_at = clock()

    def let_in(self, action: str, *, leaving: float = 0.0) -> None:
        """Return where a call may begin: one of a single request must leave so many tokens (or that debt).

        Raises BudgetSpent where the budget does not allow it.
        """
        with self._lock:
            self._fill()
            needed = 1.0 + leaving
            if self._tokens < needed:
                wait = (needed - self._tokens) / self._per_second
                raise BudgetSpent(
                    f"{action}: not called, because our own budget of AWS calls is used up "
                    f"for another {wait:.1f} s."
                )

    def charge(self) -> None:
        """Pay for one request."""
        with self._lock:
            self._fill()
            self._tokens -= 1.0

    def drain(self) -> None:
        """Empty the bucket, because AWS throttles us; a debt stays."""
        with self._lock:
            self._fill()
            self._tokens = min(self._tokens, 0.0)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._filled_at) * self._per_second, BURST)
        self._filled_at = now
