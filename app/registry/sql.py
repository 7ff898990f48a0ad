"""The registry's critical sections: each method is one transaction, in database words only."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from app.domain.errors import InstanceNotFound, PoolExhausted, RegistryUnavailable, RegistryUnusable
from app.domain.model import (
    TRANSITIONS,
    Allocation,
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    PoolName,
    PoolView,
    ProjectId,
    SeenInstance,
)
from app.ports import Claimed, Event, EventKind
from app.registry import rows, statements
from app.registry.database import EXCLUSIVE

POLLER = "poller"
"""The actor of what a pass does by itself."""

RETRY_AFTER = timedelta(seconds=5)
DEMAND_LASTS = timedelta(seconds=30)
"""How long a project that got nothing counts as waiting; asking again starts it anew."""


class SqlRegistry:
    """The Registry port on one SQLAlchemy engine."""

    def __init__(self, engine: Engine) -> None:
        self._reading = engine
        self._writing = engine.execution_options(**{EXCLUSIVE: True})
        # The lock guard. SQLite has one writer at a time: threads queue here, fairly, instead of polling for
        # the file's lock. PostgreSQL locks rows, and orders replicas as well as threads.
        sqlite = engine.dialect.name == "sqlite"
        # Claims of one project queue: the loser of their race would otherwise hold a second instance for a
        # moment, and the pool could look exhausted to a third claim. Where there is one writer, they do.
        self._queues_projects = not sqlite
        self._guard: AbstractContextManager[Any] = Lock() if sqlite else nullcontext()

    def close(self) -> None:
        """Close every connection."""
        self._reading.dispose()

    def belong_to(self, pool: PoolName, *, group: str, region: str) -> None:
        """Tie a pool to its group at the first start; raise RegistryUnusable where it is tied to another.

        Otherwise every instance of the old group would look lost, and the new group would be handed out.
        """
        named = {"pool": pool, "group_name": group, "region": region}
        with self._exclusively() as tx:
            row = tx.execute(statements.one_pool, {"pool": pool}).one_or_none()
            if row is None:
                empty = rows.pool_values(PoolView(pool=pool))
                tx.execute(
                    statements.add_pool, {"name": pool, "group_name": group, "region": region, **empty}
                )
            elif row.group_name is None:
                tx.execute(statements.replace_pool, named)
            elif (row.group_name, row.region) != (group, region):
                raise RegistryUnusable(
                    f"The database belongs to the group '{row.group_name}' in {row.region}, and the settings "
                    f"name '{group}' in {region}: use another database, or mend the settings."
                )

    # Claims and releases

    def claim(self, pool: PoolName, project: ProjectId, *, actor: str, now: datetime) -> Claimed:
        """See Registry.claim."""
        try:
            with self._exclusively() as tx:
                if self._queues_projects:
                    tx.execute(statements.queue_project, {"project": project})
                held = _held_by(tx, project)
                if held is not None:
                    return Claimed(held, created=False)
                taken = _take_longest_idle(tx, pool, project, actor, now)
                if taken is None:
                    _wait(tx, pool, project, actor, now)
        except _Conflict:  # another process gave this project its instance, which our schema keeps single
            with self._looking() as tx:
                held = _held_by(tx, project)
            if held is None:
                raise
            return Claimed(held, created=False)
        if taken is None:
            raise PoolExhausted(
                f"No idle instance in pool '{pool}'. More are on the way: ask again soon.",
                retry_after=RETRY_AFTER,
            )
        return Claimed(taken, created=True)

    def destroy(self, instance: InstanceId, *, actor: str, now: datetime) -> Instance:
        """See Registry.destroy."""
        with self._exclusively() as tx:
            tx.execute(statements.lock_instance, {"instance": instance})
            row = tx.execute(statements.one_instance, {"instance": instance}).one_or_none()
            if row is None or row.state == InstanceState.TERMINATED.value:
                raise InstanceNotFound(f"{instance} is not an instance of ours.")
            if row.state != InstanceState.TERMINATING.value:
                move = (InstanceState(row.state), InstanceState.TERMINATING)
                _end(tx, instance, move, EndReason.DESTROYED, actor=actor, now=now)
                row = tx.execute(statements.one_instance, {"instance": instance}).one()
        return rows.instance(row)

    # What a pass learns and decides

    def instances(self, pool: PoolName) -> Mapping[InstanceId, Instance]:
        """See Registry.instances."""
        with self._looking() as tx:
            found = tx.execute(statements.living_instances, {"pool": pool}).all()
        return {row.id: rows.instance(row) for row in found}

    def terminated(self, some: Collection[InstanceId]) -> Mapping[InstanceId, Instance]:
        """See Registry.terminated."""
        if not some:
            return {}
        with self._looking() as tx:
            found = tx.execute(statements.terminated_instances, {"some": list(some)}).all()
        return {row.id: rows.instance(row) for row in found}

    def waiting(self, pool: PoolName, *, now: datetime) -> int:
        """See Registry.waiting."""
        with self._looking() as tx:
            return tx.execute(statements.count_waiting, {"pool": pool, "now": now}).scalar_one()

    def discover(self, pool: PoolName, seen: SeenInstance, *, now: datetime) -> bool:
        """See Registry.discover."""
        values = {
            "id": seen.id,
            "pool": pool,
            "state": InstanceState.BOOTING.value,
            "state_since": now,
            "zone": seen.zone,
            "launched_at": seen.launched_at,
        }
        try:
            with self._exclusively() as tx:
                tx.execute(statements.add_instance, values)
                _record(tx, EventKind.INSTANCE_DISCOVERED, pool, POLLER, now, instance=seen.id)
        except _Conflict:
            return False
        return True

    def mark_idle(self, instance: InstanceId, address: str, port: int, *, now: datetime) -> bool:
        """See Registry.mark_idle."""
        with self._exclusively() as tx:
            offer = {"address": address, "port": port}
            pool = _move(tx, instance, InstanceState.BOOTING, InstanceState.IDLE, now, **offer)
            if pool is not None:
                _record(tx, EventKind.INSTANCE_IDLE, pool, POLLER, now, instance=instance)
        return pool is not None

    def withdraw(self, instance: InstanceId, *, now: datetime) -> bool:
        """See Registry.withdraw."""
        with self._exclusively() as tx:
            pool = _move(tx, instance, InstanceState.IDLE, InstanceState.BOOTING, now)
            if pool is not None:
                _record(tx, EventKind.INSTANCE_WITHDRAWN, pool, POLLER, now, instance=instance)
        return pool is not None

    def mark_in_service(self, instance: InstanceId, since: datetime | None) -> None:
        """See Registry.mark_in_service."""
        with self._exclusively() as tx:
            tx.execute(statements.note, {"instance": instance, "in_service_since": since})

    def mark_missing(self, instance: InstanceId, since: datetime | None) -> None:
        """See Registry.mark_missing."""
        with self._exclusively() as tx:
            tx.execute(statements.note, {"instance": instance, "missing_since": since})

    def end(
        self,
        instance: InstanceId,
        *,
        expect: InstanceState,
        to: InstanceState,
        reason: EndReason,
        now: datetime,
    ) -> bool:
        """See Registry.end."""
        with self._exclusively() as tx:
            return _end(tx, instance, (expect, to), reason, actor=POLLER, now=now)

    def note_terminate_call(self, instance: InstanceId, at: datetime | None) -> None:
        """See Registry.note_terminate_call."""
        with self._exclusively() as tx:
            tx.execute(statements.note_terminate_call, {"instance": instance, "called_at": at})

    def mark_tagged(self, instance: InstanceId, project: ProjectId) -> None:
        """See Registry.mark_tagged."""
        with self._exclusively() as tx:
            tx.execute(statements.mark_tagged, {"instance": instance, "for_project": project})

    # What everybody may read

    def note_capacity(self, pool: PoolName, reason: str, *, now: datetime) -> None:
        """See Registry.note_capacity."""
        with self._exclusively() as tx:
            _record(tx, EventKind.CAPACITY_RAISED, pool, POLLER, now, reason=reason)

    def record_view(self, view: PoolView) -> None:
        """See Registry.record_view."""
        values = rows.pool_values(view)
        with self._exclusively() as tx:
            if tx.execute(statements.replace_pool, {"pool": view.pool, **values}).rowcount == 0:
                tx.execute(statements.add_pool, {"name": view.pool, **values})

    def view(self, pool: PoolName) -> PoolView:
        """See Registry.view."""
        with self._looking() as tx:
            row = tx.execute(statements.one_pool, {"pool": pool}).one_or_none()
        return PoolView(pool=pool) if row is None else rows.pool_view(row)

    def events(self, *, limit: int) -> list[Event]:
        """See Registry.events."""
        with self._looking() as tx:
            return [rows.event(row) for row in tx.execute(statements.newest_events, {"count": limit})]

    def newest_event(self) -> int:
        """See Registry.newest_event."""
        with self._looking() as tx:
            newest: int = tx.execute(statements.newest_event).scalar_one()
        return newest

    def ping(self) -> None:
        """See Registry.ping."""
        with self._looking() as tx:
            tx.execute(select(text("1")))

    @contextmanager
    def _exclusively(self) -> Iterator[Connection]:
        """One writing transaction: alone on SQLite, ordered by row locks on PostgreSQL."""
        with self._guard, _translated(), self._writing.begin() as tx:
            yield tx

    @contextmanager
    def _looking(self) -> Iterator[Connection]:
        with _translated(), self._reading.begin() as tx:
            yield tx


class _Conflict(RegistryUnavailable):
    """Somebody else has written meanwhile what the schema allows once."""


@contextmanager
def _translated() -> Iterator[None]:
    """Let no driver's exception out."""
    try:
        yield
    except IntegrityError as error:
        raise _Conflict("Somebody else changed the same thing at the same time. Try again.") from error
    except SQLAlchemyError as error:
        raise RegistryUnavailable("The database did not answer as it should. Try again.") from error


def _held_by(tx: Connection, project: ProjectId) -> Allocation | None:
    row = tx.execute(statements.held_by, {"project": project}).one_or_none()
    return None if row is None else rows.allocation(row)


def _take_longest_idle(
    tx: Connection, pool: PoolName, project: ProjectId, actor: str, now: datetime
) -> Allocation | None:
    taken = tx.execute(statements.take_longest_idle, {"of_pool": pool, "now": now}).one_or_none()
    if taken is None:
        return None
    tx.execute(
        statements.add_allocation,
        {"project": project, "pool": pool, "instance_id": taken.id, "allocated_at": now, "tagged": False},
    )
    _record(tx, EventKind.ALLOCATION_CREATED, pool, actor, now, instance=taken.id, project=project)
    return Allocation(
        project=project,
        pool=pool,
        instance=taken.id,
        address=taken.address,
        port=taken.port,
        allocated_at=now,
    )


def _wait(tx: Connection, pool: PoolName, project: ProjectId, actor: str, now: datetime) -> None:
    until = now + DEMAND_LASTS
    if tx.execute(statements.wait_on, {"of": project, "now": now, "until": until}).rowcount == 0:
        tx.execute(statements.forget_waiting, {"project": project, "now": now})
        tx.execute(statements.wait, {"project": project, "pool": pool, "until": until})
        _record(tx, EventKind.ALLOCATION_UNMET, pool, actor, now, project=project)


def _move(
    tx: Connection,
    instance: InstanceId,
    expect: InstanceState,
    to: InstanceState,
    now: datetime,
    **columns: object,
) -> PoolName | None:
    """Change the state if it still is `expect`, and say in which pool; None where it is another by now."""
    if to not in TRANSITIONS[expect]:
        raise ValueError(f"no transition leads from {expect} to {to}")
    values = {"instance": instance, "expect": expect.value, "state": to.value, "state_since": now, **columns}
    moved: PoolName | None = tx.execute(statements.move, values).scalar_one_or_none()
    return moved


def _end(
    tx: Connection,
    instance: InstanceId,
    move: tuple[InstanceState, InstanceState],
    reason: EndReason,
    *,
    actor: str,
    now: datetime,
) -> bool:
    pool = _move(tx, instance, *move, now, end_reason=reason.value)
    if pool is None:
        return False
    ending = {"instance": instance, "now": now, "reason": reason.value}
    project = tx.execute(statements.end_allocation, ending).scalar_one_or_none()
    if project is not None:
        # Or a project that once asked in vain would count as waiting again, now that it holds nothing.
        tx.execute(statements.stop_waiting, {"project": project})
        kind = EventKind.ALLOCATION_ENDED if reason.ours else EventKind.ALLOCATION_LOST
        _record(tx, kind, pool, actor, now, instance=instance, project=project, reason=reason)
    gone = move[1] is InstanceState.TERMINATED
    kind = EventKind.INSTANCE_TERMINATED if gone else EventKind.INSTANCE_TERMINATING
    _record(tx, kind, pool, actor, now, instance=instance, project=project, reason=reason)
    return True


def _record(
    tx: Connection,
    kind: EventKind,
    pool: PoolName,
    actor: str,
    now: datetime,
    *,
    instance: InstanceId | None = None,
    project: ProjectId | None = None,
    reason: str | None = None,
) -> None:
    tx.execute(
        statements.add_event,
        {
            "at": now,
            "kind": kind.value,
            "pool": pool,
            "actor": actor,
            "instance_id": instance,
            "project": project,
            "reason": None if reason is None else str(reason),
        },
    )
