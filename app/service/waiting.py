"""Waiting in line for an instance: a few requests at a time, for each of them holds a thread."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Lock

from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.model import PoolName, ProjectId
from app.ports import Claimed, Clock, HungUp, Line, RequestId, Standing
from app.service.readiness import FRESH

# All in seconds.
TICK = 0.2
"""How often those in line look whether there is something for them; one look serves all of a pool."""
INSIST = 5.0
"""How often each asks the registry itself: so it goes on counting as demand."""
DOUBT = 2.0
"""How often instances are asked again that are idle, but did not answer lately."""


class _Replaced(PoolExhausted):
    """A newer request of the same project waits in place of this one."""


@dataclass(slots=True, eq=False, kw_only=True)
class Waiter:
    """A request that is ready to wait."""

    request: RequestId
    pool: PoolName
    project: ProjectId
    actor: str
    """Who asks, for the audit trail."""
    gone: Callable[[], bool]
    """Whether its client has hung up."""
    replaced: Event = field(default_factory=Event)
    """A newer request of the same project has the place now."""
    settled: Event = field(default_factory=Event)
    """It has got in line by now, or could not."""
    entered_at: float | None = None
    """When it got its place in line, by `monotonic`; None: it has none yet."""
    older: "Waiter | None" = None
    """The request of the same project that waits as long as this one has not got in line."""
    is_over: bool = False
    """It waits no longer, for whatever reason."""


@dataclass(slots=True)
class _Glance:
    """What was last seen of a pool's line."""

    standing: Standing | None = None
    looked_at: float = 0.0
    lock: Lock = field(default_factory=Lock)


class WaitingRoom:
    """Lets requests wait for an instance: so many at a time in this process, in the order of the Line.

    A project has one place: its newest request waits, for the client of an older one has most likely given
    up, which a proxy in between need not tell. And each pool has one place in this process that no other can
    take, where there are so many.
    """

    def __init__(
        self,
        *,
        line: Line,
        requests: Iterator[RequestId],
        places: int,
        pools: Collection[PoolName],
        clock: Clock,
        monotonic: Callable[[], float],
        sleep: Callable[[Event, float], object],
    ) -> None:
        """Take names for the requests that wait: no other has the same, in whichever process.

        `monotonic` returns seconds that never jump.
        `sleep` returns after so many of them, and at once where the event is set.
        """
        self._line = line
        self._requests = requests
        self._places = places
        self._pools = frozenset(pools)
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = Lock()
        self._open: Callable[[], bool] = lambda: True
        self._waiting: dict[ProjectId, Waiter] = {}
        self._glances: dict[PoolName, _Glance] = {}

    def open_while(self, condition: Callable[[], bool]) -> None:
        """Send everybody away, and let nobody in, once the condition fails: the process is about to end."""
        self._open = condition

    def waiter(self, pool: PoolName, project: ProjectId, *, actor: str, gone: Callable[[], bool]) -> Waiter:
        """Return one that can `wait`; it stands nowhere yet."""
        return Waiter(request=next(self._requests), pool=pool, project=project, actor=actor, gone=gone)

    def wait(
        self, waiter: Waiter, patience: timedelta, claim: Callable[[], Claimed], refused: PoolExhausted
    ) -> Claimed:
        """Return what `claim` got, as soon as it is the request's turn and there is something for it.

        Raises PoolExhausted once `patience` is over, and at once, as `refused` says, where there is no place,
        or a newer request of the project takes it over; HungUp where the client has. `claim` raises it as
        long as there is nothing. A database that does not answer does not end the wait, once the request
        stands in line: RegistryUnavailable is raised where it is so at the end. Whatever else is raised ends
        the wait. Who waits no longer, for whatever reason, stands in nobody's way.
        """
        until = self._monotonic() + patience.total_seconds()
        with self._place(waiter, refused):
            asked_at = self._monotonic()
            trouble: RegistryUnavailable | None = None
            while self._open() and (left := until - self._monotonic()) > 0:
                self._sleep(waiter.replaced, min(TICK, left))
                now = self._monotonic()
                since = now - asked_at if now < until else INSIST  # the last one is due whenever it was
                try:
                    if not self._is_worth_a_claim(waiter, since, refused):
                        trouble = None
                        continue
                    asked_at = now
                    claimed = claim()
                except (HungUp, _Replaced):
                    raise
                except RegistryUnavailable as error:  # a moment's trouble costs nobody the place
                    trouble = error
                    continue
                except PoolExhausted as error:
                    refused, trouble = error, None
                    continue
                self._end_if_gone(waiter)
                return claimed
            raise trouble or refused

    def _is_worth_a_claim(self, waiter: Waiter, since: float, refused: PoolExhausted) -> bool:
        """Say whether a claim may get something, or is due in any case, so long `since` the last.

        Raises PoolExhausted where the request should not wait any longer.
        """
        _check(waiter, refused)
        standing = self._standing(waiter)
        if waiter.request in standing.replaced:
            waiter.replaced.set()  # by a request that came to another replica
        _check(waiter, refused)
        if waiter.request in standing.served:
            return True
        ahead = standing.ahead.get(waiter.request)
        if ahead is None:  # nothing was heard of us for so long that not even the number is kept
            self._enter(waiter, yielding=True)
            return since >= INSIST
        if ahead < standing.ready:
            return True
        return since >= (DOUBT if ahead < standing.ready + standing.doubtful else INSIST)

    def _end_if_gone(self, waiter: Waiter) -> None:
        """End the allocation, and raise HungUp, where the client has gone while it was made.

        Not where another request of the project has asked since: that one was told of it.
        """
        if not waiter.gone():
            return
        now = self._clock.now()
        if self._line.abandon(waiter.project, waiter.request, actor=waiter.actor, now=now):
            raise _hung_up()

    def _standing(self, waiter: Waiter) -> Standing:
        """Return how the line stands: as another has just seen it, if that was since this one got in."""
        with self._lock:
            glance = self._glances.setdefault(waiter.pool, _Glance())
        with glance.lock:
            standing, now = glance.standing, self._monotonic()
            entered_at = now if waiter.entered_at is None else waiter.entered_at
            if standing is None or now - glance.looked_at >= TICK / 2 or glance.looked_at <= entered_at:
                ready_since = self._clock.now() - FRESH
                standing = self._line.look(
                    waiter.pool, self._in_line_for(waiter.pool), ready_since=ready_since
                )
                glance.standing, glance.looked_at = standing, now
            return standing

    def _in_line_for(self, pool: PoolName) -> dict[RequestId, ProjectId]:
        with self._lock:
            newest = map(_newest_in_line, self._waiting.values())
            return {one.request: one.project for one in newest if one is not None and one.pool == pool}

    @contextmanager
    def _place(self, waiter: Waiter, refused: PoolExhausted) -> Iterator[None]:
        stands, keeps_demand = True, True
        try:
            self._get_in_line(waiter, refused)
            yield
        except HungUp:
            keeps_demand = False
            raise
        else:
            stands = False  # its claim has ended the place
        finally:
            self._forget(waiter)
            if stands and waiter.entered_at is not None and not waiter.replaced.is_set():
                with suppress(RegistryUnavailable):  # then it is lost in a few seconds by itself
                    self._line.leave([waiter.request], demand=keeps_demand)

    def _get_in_line(self, waiter: Waiter, refused: PoolExhausted) -> None:
        """Take the place of the older request of the project, where one waits here, and send that away.

        They get in line in the order in which they came: the line, too, takes the last one for the newest.
        Where this one does not get in, the older goes on.
        """
        self._let_in(waiter, refused)
        try:
            if waiter.older is not None:
                waiter.older.settled.wait()
            self._enter(waiter)
            with self._lock:
                older, waiter.older = waiter.older, None
            while older is not None:
                older.replaced.set()
                older = older.older
        finally:
            waiter.settled.set()

    def _forget(self, waiter: Waiter) -> None:
        """Let it wait no longer, but the older request of its project, where it has not replaced that."""
        with self._lock:
            waiter.is_over = True
            if self._waiting.get(waiter.project) is not waiter:
                return  # a newer one has its place, and its chain of older ones
            older = waiter.older
            while older is not None and older.is_over:
                older = older.older
            if older is None:
                del self._waiting[waiter.project]
            else:
                self._waiting[waiter.project] = older

    def _enter(self, waiter: Waiter, *, yielding: bool = False) -> None:
        self._line.enter(waiter.pool, waiter.project, waiter.request, yielding=yielding)
        waiter.entered_at = self._monotonic()

    def _let_in(self, waiter: Waiter, refused: PoolExhausted) -> None:
        """Let it wait, with the older request of its project that does; or raise PoolExhausted."""
        with self._lock:
            if not self._open():
                raise refused
            if not self._places:
                raise _also(refused, "No request may wait here: ORCHESTRATOR_THREADS is 1.")
            if not self._fits(waiter.pool, waiter.project):
                raise _also(
                    refused, "This request was not let wait: as many do already as may for this pool."
                )
            waiter.older = self._waiting.get(waiter.project)
            self._waiting[waiter.project] = waiter

    def _fits(self, pool: PoolName, project: ProjectId) -> bool:
        """Say whether the project's newest request can wait, and every other pool keep a place."""
        others = [one.pool for name, one in self._waiting.items() if name != project]
        kept = self._pools.difference(others, {pool}) if self._places >= len(self._pools) else ()
        return len(others) + len(kept) < self._places


def _newest_in_line(waiter: Waiter) -> Waiter | None:
    """Return the newest request of its project that has got in line, and waits."""
    one: Waiter | None = waiter
    while one is not None and (one.entered_at is None or one.is_over):
        one = one.older
    return one


def _check(waiter: Waiter, refused: PoolExhausted) -> None:
    """Raise PoolExhausted where a newer request waits in place of this one, or nobody waits for it."""
    if waiter.replaced.is_set():
        newer = "A newer request of the same project took the place of this one, and waits."
        raise _Replaced(f"{refused.detail} {newer}", retry_after=refused.retry_after)
    if waiter.gone():
        raise _hung_up()


def _hung_up() -> HungUp:
    return HungUp("Nobody waits for the answer any more.", retry_after=timedelta())


def _also(refused: PoolExhausted, why: str) -> PoolExhausted:
    return PoolExhausted(f"{refused.detail} {why}", retry_after=refused.retry_after)
