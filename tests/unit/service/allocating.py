"""An allocator over a real registry: for the tests of this folder."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from threading import Event as Woken

from app.domain.events import Event, EventKind
from app.domain.model import DEFAULT_POOL, Allocation, Instance, InstanceId, PoolName, PoolView, ProjectId
from app.domain.terms import TermsPolicy
from app.ports import Claimed, RequestId
from app.registry.line import SqlLine
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.allocation import Allocator
from app.service.waiting import WaitingRoom
from tests.builders import NOW, a_look
from tests.fake_clock import Stopwatch
from tests.fakes import FakeClock, FakeMeter, FakeProber, FakeWaker

GPU = PoolName("gpu")
ALICE, BOB, CAROL = ProjectId("alice"), ProjectId("bob"), ProjectId("carol")
A_MINUTE = timedelta(minutes=1)
GPU_TERMS = TermsPolicy(
    default_ttl=10 * A_MINUTE, max_ttl=20 * A_MINUTE, confirm_within=A_MINUTE, warning=2 * A_MINUTE
)


class World:
    """An allocator of two pools, and what it is made of. Time passes only while somebody waits in line.

    Three may wait at a time: two of one pool.
    """

    def __init__(self, transactions: Transactions, clock: FakeClock) -> None:
        self.registry = registry = SqlRegistry(transactions)
        self.line = SqlLine(transactions)
        self.waker = FakeWaker()
        self.clock = clock
        self.watch = Stopwatch()
        self.meter = FakeMeter()
        self.prober = FakeProber()
        self.gpu_prober = FakeProber()
        for pool in (DEFAULT_POOL, GPU):
            registry.record_view(PoolView(pool=pool, last_pass_at=NOW))
        self.requests = (RequestId(f"this/{number}") for number in count())
        self.waiting_room = self.another_room()
        self.slept = 0
        self._to_happen: list[tuple[float, Callable[[], object]]] = []
        self.allocator = Allocator(
            quick_probers={DEFAULT_POOL: self.prober, GPU: self.gpu_prober},
            terms={DEFAULT_POOL: TermsPolicy(), GPU: GPU_TERMS},
            registry=registry,
            waker=self.waker,
            clock=self.clock,
            line=self.line,
            waiting_room=self.waiting_room,
            meter=self.meter,
            monotonic=self.watch,
        )

    def another_room(self) -> WaitingRoom:
        """Make the waiting room of one more replica."""
        return WaitingRoom(
            line=self.line,
            requests=self.requests,
            places=3,
            pools=(DEFAULT_POOL, GPU),
            clock=self.clock,
            monotonic=self.watch,
            sleep=self._sleep,
        )

    def idle(self, pool: PoolName = DEFAULT_POOL) -> InstanceId:
        look = a_look()
        self.registry.discover(pool, look, now=self.clock.now())
        self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=self.clock.now())
        return look.id

    def allocate_from(self, pool: PoolName) -> Allocation:
        self.idle(pool)
        return self.allocator.allocate(ProjectId("alice"), actor="tester", pool=pool).allocation

    def known(self, instance: InstanceId, pool: PoolName = DEFAULT_POOL) -> Instance:
        return self.registry.instances(pool)[instance]

    def newest(self, kind: EventKind) -> Event:
        return next(line for line in self.registry.events(limit=100) if line.kind is kind)

    # In line

    def after(self, seconds: float, happens: Callable[[], object]) -> None:
        """Let something happen while somebody waits, so long from now."""
        self._to_happen.append((self.watch() + seconds, happens))

    def _sleep(self, _woken: Woken, seconds: float) -> None:
        self.slept += 1
        self.watch.advance(seconds)
        self.clock.advance(timedelta(seconds=seconds))
        due = [one for one in self._to_happen if one[0] <= self.watch()]
        self._to_happen = [one for one in self._to_happen if one not in due]
        for _, happens in due:
            happens()


def wait(
    world: World, project: ProjectId = ALICE, wait: timedelta = A_MINUTE, *, pool: PoolName | None = None
) -> Claimed:
    return world.allocator.allocate(project, actor="tester", pool=pool, wait=wait)
