"""A registry with its lines, for the parts of the contract."""

from collections.abc import Sequence
from datetime import timedelta

from app.domain.errors import PoolExhausted
from app.domain.model import (
    DEFAULT_POOL,
    InstanceId,
    PoolName,
    ProjectId,
)
from app.ports import Claimed, Line, Registry, RequestId, Standing
from tests.builders import a_look
from tests.fakes import FakeClock

CAROL, DAVE = ProjectId("carol"), ProjectId("dave")
GPU = PoolName("gpu")
LATELY = timedelta(seconds=45)
A, B, C, D = (RequestId(name) for name in "ABCD")


class Lines:
    """A registry with its lines, and the clock of the database."""

    def __init__(self, line: Line, registry: Registry, clock: FakeClock) -> None:
        self.line = line
        self.registry = registry
        self.clock = clock

    def enter(self, *those: tuple[ProjectId, RequestId], pool: PoolName = DEFAULT_POOL) -> None:
        for project, request in those:
            self.line.enter(pool, project, request)

    def look(self, pool: PoolName = DEFAULT_POOL, **those: ProjectId) -> Standing:
        """Look for requests by their names."""
        requests = {RequestId(name): project for name, project in those.items()}
        return self.line.look(pool, requests, ready_since=self.clock.now() - LATELY)

    def ahead(self, pool: PoolName = DEFAULT_POOL, **those: ProjectId) -> dict[RequestId, int]:
        return dict(self.look(pool, **those).ahead)

    def claim(
        self, project: ProjectId, request: RequestId | None = None, *, pool: PoolName = DEFAULT_POOL
    ) -> Claimed:
        now = self.clock.now()
        return self.registry.claim(
            pool, project, actor="tester", now=now, ready_since=now - LATELY, request=request
        )

    def gets(self, project: ProjectId, pool: PoolName = DEFAULT_POOL) -> bool:
        try:
            return self.claim(project, pool=pool).created
        except PoolExhausted:
            return False

    def idle(self, pool: PoolName = DEFAULT_POOL) -> InstanceId:
        look = a_look()
        self.registry.discover(pool, look, now=self.clock.now())
        assert self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=self.clock.now())
        return look.id

    def launched(self, took: float, pool: PoolName = DEFAULT_POOL) -> None:
        """Have an instance become ready so long after its launch."""
        look = a_look(launched_at=self.clock.now())
        self.registry.discover(pool, look, now=self.clock.now())
        self.clock.advance(took)
        assert self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=self.clock.now())

    def waiting(self, pool: PoolName = DEFAULT_POOL) -> int:
        return self.registry.waiting(pool, now=self.clock.now())

    def measured(self) -> Sequence[timedelta]:
        return self.line.prospect(DEFAULT_POOL, ready_since=self.clock.now() - LATELY).measured
