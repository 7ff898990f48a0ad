"""What batches of claims are tried with."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine

from app.domain.model import DEFAULT_POOL, InstanceId, PoolName, ProjectId
from app.domain.terms import Terms
from app.ports import Claimed, RequestId
from app.registry.batches import Batches
from app.registry.claims import Claim
from app.registry.line import SqlLine
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.fakes import FakeClock

GPU = PoolName("gpu")
ALICE, BOB, CAROL = ProjectId("alice"), ProjectId("bob"), ProjectId("carol")
SECOND = timedelta(seconds=1)


class World:
    """A registry, and batches on the same database; the database's clock can be set."""

    def __init__(self, engine: Engine, *, tells: bool = False) -> None:
        self.clock = FakeClock()
        self.looks_at_the_clock = 0
        self.transactions = Transactions(engine, clock=lambda _: self._time(), tells=tells)
        self.registry = SqlRegistry(self.transactions)
        self.line = SqlLine(self.transactions)
        self.batches = Batches(self.transactions)

    def _time(self) -> datetime:
        self.looks_at_the_clock += 1
        return self.clock.now()

    def idle(self, *, since: timedelta = timedelta(), pool: PoolName = DEFAULT_POOL) -> InstanceId:
        look = a_look()
        self.registry.discover(pool, look, now=NOW)
        self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW + since)
        return look.id

    def settle(self, *claims: Claim) -> Sequence[Claimed | None]:
        return self.batches.settle(claims)

    def settle_with(self, late: Claim, *claims: Claim) -> Sequence[Claimed | None]:
        """Settle these, and one that comes while they are being settled."""
        others = [[late]]
        return self.batches.settle(claims, lambda: others.pop() if others else [])

    def given(self, *claims: Claim) -> list[InstanceId | None]:
        """What each claim of a batch is answered."""
        return [None if answer is None else answer.allocation.instance for answer in self.settle(*claims)]

    def holds(self, project: ProjectId) -> InstanceId:
        """Claim for the project by itself."""
        claimed = self.registry.claim(DEFAULT_POOL, project, actor="tester", now=NOW)
        return claimed.allocation.instance

    def enter(self, project: ProjectId, pool: PoolName = DEFAULT_POOL) -> None:
        self.line.enter(pool, project, RequestId(f"request of {project}"))

    def everything(self) -> object:
        """What a batch could change."""
        pools = [self.registry.instances(pool) for pool in (DEFAULT_POOL, GPU)]
        return pools, self.registry.events(limit=1000)


def a_claim(
    project: ProjectId,
    *,
    pool: PoolName = DEFAULT_POOL,
    at: timedelta = timedelta(),
    ready_since: timedelta | None = timedelta(),
    actor: str = "tester",
    terms: Terms | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> Claim:
    """Build one whose times are counted from NOW."""
    return Claim(
        pool=pool,
        project=project,
        actor=actor,
        now=NOW + at,
        ready_since=None if ready_since is None else NOW + ready_since,
        last_try=False,
        terms=terms or Terms(),
        request=None,
        wanted=wanted,
    )
