"""Waiting in line for an instance: a few requests at a time, for each of them holds a thread."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import takewhile
from threading import Event, Lock

from app.domain.errors import PoolExhausted
from app.domain.model import PoolName, ProjectId
from app.ports import Claimed

# All in seconds.
TICK = 0.2
"""How often those in line look whether there is something for them; one look serves all of a pool."""
INSIST = 5.0
"""How often each asks the registry itself: so it goes on counting as demand, and learns what its project got
elsewhere."""
DOUBT = 2.0
"""How often instances are asked again that are idle, but did not answer lately."""


@dataclass(frozen=True, slots=True)
class Supply:
    """How many instances of a pool could be handed out."""

    ready: int
    doubtful: int
    """Idle, but none of their probes passed lately: a claim would have to ask them."""


@dataclass(slots=True, eq=False)
class _Waiter:
    pool: PoolName
    replaced: Event = field(default_factory=Event)
    """A newer request of the same project has the place now."""
    served: bool = False
    """An older request of the same project got an instance after all: it need only be fetched."""


@dataclass(slots=True)
class _Glance:
    """What was last seen of a pool."""

    supply: Supply | None = None
    looked_at: float = 0.0
    lock: Lock = field(default_factory=Lock)


class WaitingRoom:
    """Lets requests wait for an instance: so many at a time in this process, the longest waiting first.

    Only among those who wait here: who has just come, or waits in another process, may be faster.

    A project has one place: its newest request waits, for the client of an older one has most likely given
    up, which nothing tells. And each pool has one place that no other can take, where there are so many.
    """

    def __init__(
        self,
        *,
        places: int,
        pools: Collection[PoolName],
        monotonic: Callable[[], float],
        sleep: Callable[[Event, float], object],
    ) -> None:
        """`monotonic` returns seconds that never jump.

        `sleep` returns after so many of them, and at once where the event is set.
        """
        self._places = places
        self._pools = frozenset(pools)
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = Lock()
        self._open: Callable[[], bool] = lambda: True
        self._waiting: dict[ProjectId, _Waiter] = {}  # those who came first stand first
        self._glances: dict[PoolName, _Glance] = {}

    def open_while(self, condition: Callable[[], bool]) -> None:
        """Send everybody away, and let nobody in, once the condition fails: the process is about to end."""
        self._open = condition

    def wait(  # noqa: PLR0917 - what is waited for, and how to get it
        self,
        pool: PoolName,
        project: ProjectId,
        patience: timedelta,
        look: Callable[[], Supply],
        claim: Callable[[], Claimed],
        refused: PoolExhausted,
    ) -> Claimed:
        """Return what `claim` got, as soon as `look` shows that it may get something.

        Raises PoolExhausted once `patience` is over, and at once, as `refused` says, where there is no place,
        or a newer request of the project takes it over. `claim` raises it as long as there is nothing;
        whatever else the two raise ends the wait.
        """
        until = self._monotonic() + patience.total_seconds()
        with self._place(pool, project, refused) as waiter:
            asked_at = self._monotonic()
            while self._open() and (left := until - self._monotonic()) > 0:
                self._sleep(waiter.replaced, min(TICK, left))
                if waiter.replaced.is_set():
                    raise _also(
                        refused, "A newer request of the same project took the place of this one, and waits."
                    )
                now = self._monotonic()
                since = now - asked_at if now < until else INSIST  # the last one is due whenever it was
                if not self._is_worth_a_claim(waiter, look, since):
                    continue
                asked_at = now
                waiter.served = False  # it may become true while this claim still goes on, in vain
                try:
                    claimed = claim()
                except PoolExhausted as error:
                    refused = error
                else:
                    self._tell_the_newer(project)
                    return claimed
        raise refused

    def _is_worth_a_claim(self, waiter: _Waiter, look: Callable[[], Supply], since: float) -> bool:
        """Say whether a claim may get something, or is due in any case, so long `since` the last."""
        if waiter.served:
            return True
        supply = self._supply(waiter.pool, look)
        with self._lock:
            before = takewhile(lambda other: other is not waiter, self._waiting.values())
            ahead = sum(other.pool == waiter.pool for other in before)
        if supply.ready:  # where not for this one, then for those before it
            return ahead < supply.ready
        return since >= (DOUBT if ahead < supply.doubtful else INSIST)

    def _supply(self, pool: PoolName, look: Callable[[], Supply]) -> Supply:
        with self._lock:
            glance = self._glances.setdefault(pool, _Glance())
        with glance.lock:
            if glance.supply is None or self._monotonic() - glance.looked_at >= TICK / 2:
                glance.supply = look()
                glance.looked_at = self._monotonic()
            return glance.supply

    def _tell_the_newer(self, project: ProjectId) -> None:
        with self._lock:
            if project in self._waiting:
                self._waiting[project].served = True

    @contextmanager
    def _place(self, pool: PoolName, project: ProjectId, refused: PoolExhausted) -> Iterator[_Waiter]:
        waiter = _Waiter(pool)
        with self._lock:
            if not self._open():
                raise refused
            if not self._places:
                raise _also(refused, "No request may wait here: ORCHESTRATOR_THREADS is 1.")
            if not self._fits(pool, project):
                raise _also(
                    refused, "This request was not let wait: as many do already as may for this pool."
                )
            older = self._waiting.get(project)
            if older is not None:
                older.replaced.set()
                if older.pool != pool:
                    del self._waiting[project]  # to the end of the other line
            self._waiting[project] = waiter
        try:
            yield waiter
        finally:
            with self._lock:
                if self._waiting.get(project) is waiter:
                    del self._waiting[project]

    def _fits(self, pool: PoolName, project: ProjectId) -> bool:
        """Say whether the project's newest request can wait, and every other pool keep a place."""
        others = [one.pool for name, one in self._waiting.items() if name != project]
        kept = self._pools.difference(others, {pool}) if self._places >= len(self._pools) else ()
        return len(others) + len(kept) < self._places


def _also(refused: PoolExhausted, why: str) -> PoolExhausted:
    return PoolExhausted(f"{refused.detail} {why}", retry_after=refused.retry_after)
