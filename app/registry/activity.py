"""The use of allocations: what instances told of it, and the end of those that nobody uses."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from app.domain.activity import Heartbeat, Insight, Usage, learn
from app.domain.errors import RegistryUnavailable
from app.domain.events import EventKind
from app.domain.model import EndReason, InstanceId, InstanceState, PoolName, ProjectId
from app.domain.terms import TermsPolicy
from app.ports import Heard
from app.registry import steps
from app.registry.messages import Ahead
from app.registry.schema import allocations, instances, pools
from app.registry.steps import POLLER
from app.registry.transactions import Transactions

CHUNK = 500
"""How many ids a statement names; a database may limit its parameters."""

_live = (allocations.c.instance_id == instances.c.id) & allocations.c.ended_at.is_(None)
_allocated = instances.c.state == InstanceState.ALLOCATED.value

_watched = (
    select(instances.c.id, instances.c.address, instances.c.port)
    .join(allocations, _live)
    .where(instances.c.pool == bindparam("of_pool"), _allocated)
)
_used = (
    select(
        instances.c.id,
        instances.c.held_at,
        allocations.c.project,
        allocations.c.allocated_at,
        allocations.c.heartbeat,
        allocations.c.last_activity_at,
        allocations.c.idle_warned_at,
        allocations.c.confirm_by,
    )
    .join(allocations, _live)
    .where(instances.c.id.in_(bindparam("some", expanding=True)), _allocated)
)
_paused = select(pools.c.paused_at.is_not(None)).where(pools.c.name == bindparam("of_pool"))
_lock = (
    select(instances.c.id)
    .where(instances.c.id.in_(bindparam("some", expanding=True)))
    .order_by(instances.c.id)
    .with_for_update(skip_locked=True)
)
"""Those that nobody else changes just now."""
PATIENT = 3
"""How often somebody is waited for in vain: more of that is no row, but the database."""
_note = (
    update(allocations)
    .where(allocations.c.instance_id == bindparam("of"))
    .values(
        heartbeat=bindparam("heard"),
        last_activity_at=bindparam("used_at"),
        idle_warned_at=bindparam("warned_at"),
        confirm_by=bindparam("still_confirm_by"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learnt:
    """What one allocation's heartbeat has told."""

    instance: InstanceId
    project: ProjectId
    known: Usage
    """What was known before."""
    insight: Insight
    now: datetime

    @property
    def is_news(self) -> bool:
        return self.insight.usage != self.known


class SqlActivity:
    """The Activity port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._exclusively, self._looking = transactions.exclusively, transactions.looking
        self._time = transactions.time

    def watched(self, pool: PoolName) -> Mapping[InstanceId, tuple[str, int]]:
        """See Activity.watched."""
        with self._looking() as tx:
            return {row.id: (row.address, row.port) for row in tx.execute(_watched, {"of_pool": pool})}

    def note(
        self, pool: PoolName, heard: Mapping[InstanceId, Heard], terms: TermsPolicy
    ) -> Sequence[InstanceId]:
        """See Activity.note."""
        if not heard:
            return ()
        with self._looking() as tx:
            learnt = self._learn(tx, pool, heard, terms)
        news = {one.instance: heard[one.instance] for one in learnt if one.is_news}
        if news:
            with self._exclusively() as tx:
                self._keep(tx, pool, news, terms)
        return [one.instance for one in learnt if one.insight.over]

    def note_each(
        self, pool: PoolName, heard: Mapping[InstanceId, Heard], terms: TermsPolicy
    ) -> Collection[InstanceId]:
        """See Activity.note_each."""
        if not heard:
            return ()
        with self._looking() as tx:
            learnt = self._learn(tx, pool, heard, terms)
        kept = set(heard) - {one.instance for one in learnt if one.is_news}
        in_vain = 0
        for one in sorted(set(heard) - kept):
            try:
                with self._exclusively() as tx:
                    if steps.locked(tx, one) is not None:
                        self._write(tx, pool, {one: heard[one]}, terms)
                kept.add(one)
            except RegistryUnavailable:
                in_vain += 1
                if in_vain == PATIENT:
                    break
        return kept

    def end(self, instance: InstanceId, heartbeat: Heartbeat, terms: TermsPolicy) -> bool:
        """See Activity.end."""
        with self._exclusively() as tx:
            found = steps.locked(tx, instance)
            if found is None or steps.is_paused(tx, found.pool):
                return False
            for one in self._learn(tx, found.pool, {instance: Heard(heartbeat=heartbeat)}, terms):
                if one.insight.over:
                    leaving = (InstanceState.ALLOCATED, InstanceState.TERMINATING)
                    steps.end(tx, instance, leaving, EndReason.UNUSED, actor=POLLER, now=one.now)
                    return True
        return False

    def _keep(
        self, tx: Connection, pool: PoolName, heard: Mapping[InstanceId, Heard], terms: TermsPolicy
    ) -> None:
        self._write(tx, pool, {one: heard[one] for one in _locked(tx, heard)}, terms)

    def _write(
        self, tx: Connection, pool: PoolName, locked: Mapping[InstanceId, Heard], terms: TermsPolicy
    ) -> None:
        news = [one for one in self._learn(tx, pool, locked, terms) if one.is_news]
        if news:
            tx.execute(_note, [_values(one) for one in news])
        for one in news:
            _tell(tx, pool, one)

    def _learn(
        self, tx: Connection, pool: PoolName, heard: Mapping[InstanceId, Heard], terms: TermsPolicy
    ) -> Sequence[_Learnt]:
        """Say what was known of those that are still allocated, and what they tell now."""
        now = self._time(tx)
        paused = bool(tx.execute(_paused, {"of_pool": pool}).scalar_one_or_none())
        learnt = []
        for chunk in _chunks(heard):
            for row in tx.execute(_used, {"some": chunk}):
                known, one = _usage(row, paused=paused), heard[row.id]
                insight = learn(known, one.heartbeat, unheard_for=one.unheard_for, terms=terms, now=now)
                learnt.append(
                    _Learnt(instance=row.id, project=row.project, known=known, insight=insight, now=now)
                )
        return learnt


def _tell(tx: Connection, pool: PoolName, one: _Learnt) -> None:
    """Add to the audit trail what somebody should know of it."""
    before, after, ends_at = one.known, one.insight.usage, one.insight.ends_at
    if ends_at is not None and after.last_activity_at is not None:
        steps.record(
            tx,
            EventKind.ALLOCATION_EXPIRING,
            pool,
            POLLER,
            one.now,
            instance=one.instance,
            project=one.project,
            reason=f"nobody has used it since {_written(after.last_activity_at)}: "
            f"it ends at {_written(ends_at)} unless it is used again",
            ahead=Ahead(at=ends_at, why=EndReason.UNUSED),
        )
    if before.confirm_by is not None and after.confirm_by is None:
        steps.record(
            tx,
            EventKind.ALLOCATION_CONFIRMED,
            pool,
            POLLER,
            one.now,
            instance=one.instance,
            project=one.project,
            reason="it is in use",
        )


def _values(one: _Learnt) -> Mapping[str, object]:
    usage = one.insight.usage
    return {
        "of": one.instance,
        "heard": usage.heartbeat,
        "used_at": usage.last_activity_at,
        "warned_at": usage.warned_at,
        "still_confirm_by": usage.confirm_by,
    }


def _locked(tx: Connection, some: Iterable[InstanceId]) -> Iterator[InstanceId]:
    for chunk in _chunks(some):
        yield from tx.execute(_lock, {"some": chunk}).scalars()


def _chunks(some: Iterable[InstanceId]) -> Iterator[Sequence[InstanceId]]:
    ids = sorted(some)  # in one order, so that no two replicas wait for each other
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _usage(row: Row[*tuple[Any, ...]], *, paused: bool) -> Usage:
    return Usage(
        allocated_at=row.allocated_at,
        heartbeat=row.heartbeat,
        last_activity_at=row.last_activity_at,
        warned_at=row.idle_warned_at,
        confirm_by=row.confirm_by,
        spared=paused or row.held_at is not None,
    )


def _written(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
