"""A waiting room in which requests wait in threads: for the tests of this folder."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from threading import Event, Lock
from time import monotonic

from app.domain.errors import PoolExhausted
from app.domain.model import DEFAULT_POOL, Allocation, PoolName, ProjectId
from app.ports import Claimed, RequestId
from app.service.waiting import WaitingRoom
from tests.builders import NOW, an_instance_id
from tests.fakes import FakeClock, FakeLine
from tests.unit.service.allocating import ALICE, GPU
from tests.waiting import LONG, until

POOLS = (DEFAULT_POOL, GPU, PoolName("tpu"))
A_WHILE = timedelta(seconds=2 * LONG)
"""What a request waits at most: who is answered within LONG did not wait for its end."""
NOTHING = PoolExhausted("Nothing is idle.", retry_after=timedelta(seconds=5))
FOUND = Claimed(
    Allocation(
        project=ALICE,
        pool=DEFAULT_POOL,
        instance=an_instance_id(),
        address="10.0.0.1",
        port=8080,
        allocated_at=NOW,
    ),
    created=True,
)


class Room:
    """Requests that wait in threads of their own, for what is `found`."""

    def __init__(self, *, places: int, tick: float = 0.005) -> None:
        self.line = FakeLine()
        self._tick = tick
        self._came: set[Event] = set()
        self.slept: list[Event] = []
        """Who slept for a moment, each time."""
        self._requests = (RequestId(str(number)) for number in count())
        self._door = Lock()
        self._room = WaitingRoom(
            line=self.line,
            requests=iter(self._next_request, None),
            places=places,
            pools=POOLS,
            clock=FakeClock(),
            monotonic=monotonic,
            sleep=self._sleep,
        )
        self._threads = ThreadPoolExecutor(20)
        _opened.append(self)

    def close(self) -> None:
        """Send everybody away."""
        self._room.open_while(lambda: False)
        for woken in self._came.copy():
            woken.set()
        self._threads.shutdown()

    @property
    def found(self) -> bool:
        return self.line.ready > 0

    @found.setter
    def found(self, found: bool) -> None:
        self.line.ready = 99 if found else 0

    def send(
        self,
        project: ProjectId,
        pool: PoolName = DEFAULT_POOL,
        *,
        claim: Callable[[], Claimed] | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Future[Claimed]:
        waiter = self._room.waiter(pool, project, actor="tester", gone=gone)
        return self._threads.submit(self._room.wait, waiter, A_WHILE, claim or self._claim, NOTHING)

    def come(
        self,
        project: ProjectId,
        pool: PoolName = DEFAULT_POOL,
        *,
        claim: Callable[[], Claimed] | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Future[Claimed]:
        """Send a request, and return once it waits or has been answered."""
        there = len(self._came)
        request = self.send(project, pool, claim=claim, gone=gone)
        until(lambda: request.done() or len(self._came) > there)
        return request

    def _next_request(self) -> RequestId | None:
        with self._door:
            return next(self._requests)

    def _claim(self) -> Claimed:
        if not self.found:
            raise NOTHING
        return FOUND

    def _sleep(self, woken: Event, _seconds: float) -> None:
        self._came.add(woken)
        self.slept.append(woken)
        woken.wait(self._tick)


_opened: list[Room] = []


def close_rooms() -> None:
    """Close those of the test that is over."""
    while _opened:
        _opened.pop().close()
