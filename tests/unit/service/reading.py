"""What people are shown, over a real registry: the clock is in the hand of the test."""

from datetime import timedelta

from app.domain.controls import Change
from app.domain.model import DEFAULT_POOL, InstanceId, PoolName, PoolView, ProjectId
from app.registry.census import SqlCensus
from app.registry.controls import SqlControls
from app.registry.leases import SqlLeases
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.service.status import Check, StatusReader
from app.settings import PoolSettings
from tests.builders import a_look, a_pool
from tests.fakes import FakeClock

INTERVAL = timedelta(seconds=10)


class World:
    """A registry, a clock, and readers of the two."""

    def __init__(self, registry: SqlRegistry, *pools: PoolSettings) -> None:
        self.registry = registry
        self.transactions = registry._transactions
        self.pools = {pool.name: pool for pool in pools or (a_pool(),)}
        owners = {name: Owner(pool.group, pool.region) for name, pool in self.pools.items()}
        belong_to(self.transactions, owners)
        self.controls = SqlControls(self.transactions)
        self.clock = FakeClock()
        self.leases = SqlLeases(self.transactions)
        self.reader = self.reading()

    def reading(self) -> StatusReader:
        return StatusReader(
            pools=self.pools,
            poll_interval=INTERVAL,
            census=SqlCensus(self.transactions),
            replica="ours",
            clock=self.clock,
        )

    def booting(self, pool: PoolName = DEFAULT_POOL) -> InstanceId:
        look = a_look()
        self.registry.discover(pool, look, now=self.clock.now())
        return look.id

    def idle(self, pool: PoolName = DEFAULT_POOL) -> InstanceId:
        instance = self.booting(pool)
        self.registry.mark_idle(instance, "10.0.0.1", 8080, now=self.clock.now())
        return instance

    def allocated(self, project: str) -> InstanceId:
        self.idle()
        claimed = self.registry.claim(DEFAULT_POOL, ProjectId(project), actor="tester", now=self.clock.now())
        return claimed.allocation.instance

    def terminating(self) -> InstanceId:
        instance = self.idle()
        self.registry.destroy(instance, actor="tester", now=self.clock.now())
        return instance

    def hold(self, instance: InstanceId) -> None:
        now = self.clock.now()
        self.registry.hold(instance, actor="tester", now=now)

    def change(self, change: Change, pool: PoolName = DEFAULT_POOL) -> None:
        self.controls.change(pool, change, configured=5, expect=None, actor="token:ops", now=self.clock.now())

    def pass_succeeded(self, pool: PoolName = DEFAULT_POOL) -> None:
        now = self.clock.now()
        self.registry.record_view(PoolView(pool=pool, last_pass_at=now, last_attempt_at=now))

    def codes(self, pool: PoolName = DEFAULT_POOL) -> list[str]:
        return [notice.code for notice in self.reader.pool(pool).view.notices]

    def listed(self) -> list[InstanceId]:
        with self.reader.status() as now:
            return [one.id for part in now.parts for one in part]

    def check(self, name: str) -> Check:
        return next(check for check in self.reader.health().checks if check.name == name)
