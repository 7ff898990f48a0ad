"""How often AWS is called: a bucket of tokens for each of its services, that fills at a steady rate.

AWS counts by account and region, whoever calls. So the pools of one region share a bucket, and each has a
part of it to itself: one that calls a lot, or that AWS throttles, takes nothing from the others.
"""

from collections.abc import Callable, Sequence
from threading import Lock

from app.domain.errors import BudgetSpent

BURST = 100.0
"""Calls that may follow each other at once, when there were none for a while."""

RESERVE = 20.0
"""Tokens that changes leave in a bucket, so that looks are never starved by them."""

LEAST = 2.0
"""What a change leaves of a share, however small: a look or two find room after it."""

LEISURE = 70.0
"""Tokens that an examination leaves, because nothing waits for it: what a claim needs comes first."""

LOOK_DEBT = 5.0
"""How far a look may take a bucket into debt that somebody wished for: a claim is followed by a raise, and
that takes a look. A share's debt is as high as a whole bucket's."""

DEBT = 100.0
"""How far a raise of desired capacity may take a bucket into debt.

Where the group itself may not be read, a look costs a token for each fifty instances of the account: in a
large one it leaves less than any reserve, each time, and the pool would never grow. A pass raises desired
capacity once at most, and begins with a look, which waits until the debt is paid back.
"""

SPILT = 1e-6
"""So little is not worth another round."""

AT_REST = 2.5
"""Looks a second that all pools of a region take together while nothing happens, at most: half of what there
is. So the buckets fill up, and what flows over from them serves the pool that has something to do."""

PER_SECOND = {"autoscaling": 5.0, "ec2": 10.0}
"""Calls a second that each service is asked at most, over time.

"Amazon EC2 API throttling" in the EC2 developer guide names a burst and a rate for each action in an account
and region: 100 and 20 a second for DescribeInstances, 100 and 10 for CreateTags. Auto Scaling has one bucket
for all its actions, of a size that is not published, and everybody else in the account drains it, too: so it
is asked half as much.
"""


class Budget:
    """One pool's share of what a service is asked. Safe between threads.

    A call is let in or refused before it begins; each request it then sends costs a token, further pages and
    retries too. A call that was let in is never broken off: it may leave the share in debt, and then the
    next calls wait until that is paid back.
    """

    def __init__(self, bucket: "_Bucket", number: int) -> None:
        self._bucket = bucket
        self._number = number

    def let_in(self, action: str, *, leaving: float = 0.0) -> None:
        """Return where a call may begin: one of a single request must leave so many tokens (or that debt).

        What is to be left is said of a whole bucket: of a share, its part, and LEAST at least.
        Raises BudgetSpent where the budget does not allow it. Where something is to be left, its `wait`
        leaves room for a look as well, because the pass that tries again begins with one.
        """
        needed = 1.0 + (max(leaving * self._bucket.part, LEAST) if leaving > 0 else leaving)
        wait = self._bucket.wait(self._number, needed)
        if wait > 0:
            raise BudgetSpent(
                f"{action}: not called, because our own budget of AWS calls is used up "
                f"for another {wait:.1f} s.",
                wait=self._bucket.wait(self._number, needed + 1.0) if leaving > 0 else wait,
            )

    def charge(self) -> None:
        """Pay for one request."""
        self._bucket.take(self._number)

    def drain(self) -> None:
        """Empty the share, because AWS throttles us; a debt stays. Others find out by themselves."""
        self._bucket.drain(self._number)


def shares(clock: Callable[[], float], *, per_second: float, among: int = 1) -> Sequence[Budget]:
    """Divide one service's bucket in so many equal shares; `clock` returns seconds that never jump."""
    bucket = _Bucket(clock, per_second, among)
    return [Budget(bucket, number) for number in range(among)]


class _Bucket:
    """What one service of AWS is asked by all pools of an account and region.

    Each pool has an equal share of the burst and of the rate, which no other can use up; what flows over
    from those that are full goes to those that are not. So one pool alone has almost all of it, several that
    are busy have their part, and together they never ask for more.
    """

    def __init__(self, clock: Callable[[], float], per_second: float, count: int) -> None:
        self.per_second = per_second
        self.part = 1.0 / count
        self._clock = clock
        self._lock = Lock()
        self._full = BURST * self.part
        self._tokens = [self._full] * count
        self._filled_at = clock()

    def wait(self, number: int, needed: float) -> float:
        """Return after how many seconds a share has so much, if no call is made until then; 0 by now."""
        with self._lock:
            self._fill()
            missing = needed - self._tokens[number]
            return max(missing, 0.0) * len(self._thirsty()) / self.per_second

    def take(self, number: int) -> None:
        """Take one token out of a share."""
        with self._lock:
            self._fill()
            self._tokens[number] -= 1.0

    def drain(self, number: int) -> None:
        """Leave nothing in a share."""
        with self._lock:
            self._fill()
            self._tokens[number] = min(self._tokens[number], 0.0)

    def _fill(self) -> None:
        now = self._clock()
        inflow, self._filled_at = (now - self._filled_at) * self.per_second, now
        while inflow > 0:
            thirsty = self._thirsty()
            if not thirsty:
                return
            portion, inflow = inflow / len(thirsty), 0.0
            for number in thirsty:
                poured = min(portion, self._full - self._tokens[number])
                self._tokens[number] += poured
                inflow += portion - poured
            if inflow < SPILT:
                return

    def _thirsty(self) -> list[int]:
        return [number for number, tokens in enumerate(self._tokens) if tokens < self._full]
