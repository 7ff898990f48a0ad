"""One pool in memory, over the fake cloud and a real registry: for the tests of this folder."""

from collections.abc import Callable, Collection

from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, Limit, Policy, ProjectId, SeenInstance
from app.ports import Claimed
from app.registry.lifetimes import SqlLifetimes
from app.registry.sql import SqlRegistry
from app.service.examination import Examination
from app.service.readiness import Readiness
from app.service.reconcile import PassReport, Reconciler
from app.service.timekeeping import Timekeeper
from tests.fakes import FakeClock, FakeCloud, FakeControls, FakeMandate, FakeMeter, FakePreflight, FakeProber


class Pool:
    """One pool in memory, its clock in the hand of the test."""

    def __init__(self, registry: SqlRegistry, cloud: FakeCloud, clock: FakeClock) -> None:
        self.registry = registry
        self.cloud = cloud
        self.clock = clock
        self.prober = FakeProber()
        self.preflight = FakePreflight()
        self.mandate = FakeMandate()
        self.meter = FakeMeter()
        self.controls = FakeControls()
        self.looked_at: list[list[InstanceId]] = []
        self.use: Callable[[], object] = lambda: None
        """Happens when somebody looks whether instances are in use."""
        self.unseen: set[InstanceId] = set()
        """Those that cannot be looked at."""
        self.timekeeper = Timekeeper(
            DEFAULT_POOL,
            lifetimes=SqlLifetimes(registry._transactions),
            see=self.see,
            mandate=self.mandate,
            meter=self.meter,
        )
        self.reconciler = self.restarted()

    def see(self, instances: Collection[InstanceId]) -> Collection[InstanceId]:
        """Look whether instances are in use."""
        self.looked_at.append(list(instances))
        self.use()
        return [one for one in instances if one not in self.unseen]

    def restarted(self) -> Reconciler:
        """Make a new process of it: nothing but the registry and AWS remembers anything."""
        self.readiness = Readiness(
            policy=Policy(),
            registry=self.registry,
            controls=self.controls,
            prober=self.prober,
            mandate=self.mandate,
            meter=self.meter,
            clock=self.clock,
        )
        self.examination = Examination(
            self.preflight,
            policy=Policy(),
            controls=self.controls,
            monotonic=lambda: self.clock.now().timestamp(),
        )
        self.reconciler = Reconciler(
            policy=Policy(),
            registry=self.registry,
            controls=self.controls,
            cloud=self.cloud,
            examination=self.examination,
            readiness=self.readiness,
            mandate=self.mandate,
            clock=self.clock,
        )
        return self.reconciler

    def tick(self, times: int = 1) -> PassReport:
        for _ in range(times):
            self.timekeeper.round()
            report = self.reconciler.tick()
            self.readiness.round()
            self.examination.make()
            self.clock.advance(2)
        return report

    def claim(self, project: str) -> Claimed:
        return self.registry.claim(DEFAULT_POOL, ProjectId(project), actor="tester", now=self.clock.now())

    def destroy(self, instance: InstanceId) -> None:
        self.registry.destroy(instance, actor="tester", now=self.clock.now())

    def count(self, state: InstanceState) -> int:
        return sum(found.state is state for found in self.registry.instances(DEFAULT_POOL).values())

    def look(self, instance: InstanceId) -> SeenInstance:
        found = self.cloud.look(instance)
        assert found is not None
        return found

    @property
    def notices(self) -> list[str]:
        return [notice.code for notice in self.registry.view(DEFAULT_POOL).notices]

    @property
    def limited_by(self) -> Limit | None:
        return self.registry.view(DEFAULT_POOL).limited_by

    def limits(self) -> tuple[Limit | None, list[str]]:
        return self.limited_by, self.notices

    def called(self, operation: str) -> int:
        return len(self.cloud.calls_of(operation))
