"""Two pools, and who stands in their lines: what the machine of the lines is made of."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from sqlalchemy import Engine, select, text

from app.domain.model import Instance, InstanceId, InstanceState, PoolName, ProjectId
from app.ports import RequestId
from app.registry.line import SqlLine
from app.registry.places import SERVED
from app.registry.schema import line as line_table
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look, an_instance_id
from tests.property.quick_database import open_quickly

POOLS = [PoolName("default"), PoolName("gpu")]
FRESH = timedelta(seconds=45)

pools = st.sampled_from(POOLS)


@dataclass(frozen=True)
class Place:
    """What the model remembers of a place in line."""

    number: int
    pool: PoolName
    request: RequestId | None
    """None: it was given up, and is kept for its project."""
    said_at: datetime
    over_at: datetime | None = None


@dataclass(frozen=True)
class Waiter:
    """A request that a replica lets wait."""

    request: RequestId
    pool: PoolName
    project: ProjectId


class Lines(RuleBasedStateMachine):
    """Instances come and go; the registry, the lines, and what stands in their tables."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.requests = 0

    def open(self) -> Engine:
        self.folder = Path(mkdtemp(prefix="line-"))
        return open_quickly(self.folder)

    def close(self) -> None:
        self.registry.close()
        shutil.rmtree(self.folder)

    def set_up(self) -> None:
        self.engine = self.open()
        transactions = Transactions(self.engine, clock=lambda _tx: self.now)
        self.registry, self.line = SqlRegistry(transactions), SqlLine(transactions)

    @rule(pool=pools, count=st.integers(1, 2))
    def instances_become_idle(self, pool: PoolName, count: int) -> None:
        for _ in range(count):
            instance = an_instance_id()
            assert self.registry.discover(pool, a_look(id=instance), now=self.now)
            assert self.registry.mark_idle(instance, "10.0.0.1", 8080, now=self.now)

    @rule(pool=pools, data=st.data())
    def one_is_withdrawn(self, pool: PoolName, data: st.DataObject) -> None:
        if idle := sorted(self._in(pool, InstanceState.IDLE)):
            self.registry.withdraw(data.draw(st.sampled_from(idle)), reason="a reason", now=self.now)

    @rule(pool=pools, data=st.data())
    def one_falls_silent(self, pool: PoolName, data: st.DataObject) -> None:
        if idle := sorted(self._in(pool, InstanceState.IDLE)):
            self.registry.note_probes([], [data.draw(st.sampled_from(idle))], now=self.now)

    @rule(pool=pools, data=st.data())
    def one_is_held_for_inspection(self, pool: PoolName, data: st.DataObject) -> None:
        if idle := sorted(self._in(pool, InstanceState.IDLE)):
            self._hold(data.draw(st.sampled_from(idle)))

    def _hold(self, instance: InstanceId) -> None:
        self.registry.hold(instance, ttl=None, reason=None, actor="tester", now=self.now)

    # What the registry has

    def _all(self, pool: PoolName) -> dict[InstanceId, Instance]:
        return dict(self.registry.instances(pool))

    def _in(self, pool: PoolName, state: InstanceState) -> list[InstanceId]:
        return [one.id for one in self._all(pool).values() if one.state is state and not one.held]

    def _free(self, pool: PoolName) -> list[InstanceId]:
        """What may be handed out, the longest idle first."""
        found = self._all(pool)
        return sorted(self._in(pool, InstanceState.IDLE), key=lambda one: (found[one].state_since, one))

    def _ready(self, pool: PoolName) -> list[InstanceId]:
        found = self._all(pool)
        since = self.now - FRESH
        return [one for one in self._free(pool) if (at := found[one].ready_at) is not None and at >= since]

    def _held(self, project: ProjectId) -> InstanceId | None:
        for pool in POOLS:
            for one in self._all(pool).values():
                if one.project == project and one.state is InstanceState.ALLOCATED:
                    return one.id
        return None

    def _rows(self) -> list[Any]:
        with self.engine.begin() as tx:
            rows = tx.execute(select(line_table).order_by(line_table.c.id))
            return [row for row in rows if row.pool != SERVED]

    def _waiting_rows(self, project: ProjectId) -> int:
        with self.engine.begin() as tx:
            found: int = tx.execute(
                text("SELECT count(*) FROM waiting WHERE project = :project"), {"project": project}
            ).scalar_one()
            return found

    def _a_request(self) -> RequestId:
        self.requests += 1
        return RequestId(f"request-{self.requests}")
