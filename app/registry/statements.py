"""The SQL of the registry, built once: SQLAlchemy then compiles each statement only once, too."""

from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from app.domain.model import InstanceState
from app.registry.schema import allocations, boot_failures, events, instances, line, pools, waiting

ONE: ColumnElement[int] = literal_column("1")
"""As text: for a number that it does not know PostgreSQL makes a plan at each execution."""

HELD = (
    allocations.c.project,
    allocations.c.pool,
    allocations.c.instance_id,
    allocations.c.allocated_at,
    allocations.c.expires_at,
    allocations.c.confirm_by,
    allocations.c.last_activity_at,
    instances.c.address,
    instances.c.port,
)
"""What is told of a live allocation."""

live_allocations = (
    select(*HELD)
    .join(instances, instances.c.id == allocations.c.instance_id)
    .where(allocations.c.ended_at.is_(None))
)
held_by = live_allocations.where(allocations.c.project == bindparam("project"))
"""The live allocation of a project."""
held_by_with_place = held_by.add_columns(
    exists().where(line.c.project == bindparam("project")).label("in_line")
)
"""The same, and whether the project stands in any line, or was just served there."""

queue_project = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("project"), 0)))
"""Waits for other claims of the same project to end (PostgreSQL)."""

_unheld = instances.c.held_at.is_(None)

_idle = select(instances.c.id).where(
    instances.c.pool == bindparam("of_pool"), instances.c.state == InstanceState.IDLE.value, _unheld
)
"""What may be handed out."""

_found_ready = instances.c.ready_at >= bindparam("ready_since")
_nobody_waits = ~exists().where(line.c.pool == bindparam("of_pool"))
_has_a_place = exists().where(line.c.project == bindparam("for_project"))


@dataclass(frozen=True, slots=True)
class Take:
    """Allocates what has been idle longest, and tells whether the project has a place in any line."""

    at_once: Executable
    """Passes over whom another transaction has locked."""
    patiently: Executable
    """Waits for those: a probe may be noted, and nothing taken."""
    any_left: Executable
    """Whether there is one at all."""


def _take(*conditions: ColumnElement[bool]) -> Take:
    some = _idle.where(*conditions)
    return Take(_first(some, skip_locked=True), _first(some, skip_locked=False), select(exists(some)))


def _first(some: Select[tuple[str]], *, skip_locked: bool) -> Executable:
    # SQLite has no row locks and leaves FOR UPDATE out; there one writer at a time is the order.
    first = some.order_by(instances.c.state_since, instances.c.id).limit(ONE)
    first = first.with_for_update(skip_locked=skip_locked)
    return (
        update(instances)
        .where(instances.c.id == first.scalar_subquery())
        .values(state=InstanceState.ALLOCATED.value, state_since=bindparam("now"))
        .returning(instances.c.id, instances.c.address, instances.c.port, _has_a_place.label("in_line"))
    )


take_where_nobody_waits = _take(_nobody_waits)
take_of_the_ready_where_nobody_waits = _take(_nobody_waits, _found_ready)
take = _take()
take_of_the_ready = _take(_found_ready)


def longest_idle(count: int, *, ready: bool) -> Select[tuple[str]]:
    """Select several that may be handed out at once, where nobody waits in line.

    Their number stands in the text: PostgreSQL would think of an unknown one as a tenth of the table, and
    make a plan at each execution.
    """
    some = _idle.where(_nobody_waits, *([_found_ready] if ready else []))
    some = some.order_by(instances.c.state_since, instances.c.id).limit(literal_column(str(count)))
    return some.with_for_update(skip_locked=True)


doubtful_idle = (
    select(instances.c.id, instances.c.address, instances.c.port)
    .where(
        instances.c.pool == bindparam("pool"),
        instances.c.state == InstanceState.IDLE.value,
        _unheld,
        or_(instances.c.ready_at.is_(None), instances.c.ready_at < bindparam("ready_since")),
    )
    .order_by(instances.c.ready_at.is_(None), instances.c.state_since, instances.c.id)
    .limit(bindparam("count"))
)
"""The idle ones to ask first that were not found ready lately: those last that did not answer."""
lock_idle = (
    select(instances.c.id)
    .where(
        instances.c.id.in_(bindparam("some", expanding=True)), instances.c.state == InstanceState.IDLE.value
    )
    .order_by(instances.c.id)
    .with_for_update(skip_locked=True)
)
"""Those that are still idle, and that nobody is taking just now."""
note_ready = (
    update(instances)
    .where(instances.c.id.in_(bindparam("some", expanding=True)))
    .values(ready_at=bindparam("found_at"))
)

add_allocation = insert(allocations)
end_allocation = (
    update(allocations)
    .where(allocations.c.instance_id == bindparam("instance"), allocations.c.ended_at.is_(None))
    .values(ended_at=bindparam("now"), end_reason=bindparam("reason"))
    .returning(allocations.c.project)
)
_live_of_instance = (allocations.c.instance_id == bindparam("instance"), allocations.c.ended_at.is_(None))
limits_of = select(allocations.c.expires_at, allocations.c.warn_at, allocations.c.confirm_by).where(
    *_live_of_instance
)
set_limits = (
    update(allocations)
    .where(*_live_of_instance)
    .values(expires_at=bindparam("ends"), warn_at=bindparam("warns"), confirm_by=bindparam("confirms"))
)
mark_tagged = (
    update(allocations)
    .where(
        allocations.c.instance_id == bindparam("instance"), allocations.c.project == bindparam("for_project")
    )
    .values(tagged=True)
)

add_event = insert(events)
newest_events = select(events).order_by(events.c.id.desc()).limit(bindparam("count"))

forget_waiting = delete(waiting).where(
    or_(waiting.c.project == bindparam("project"), waiting.c.until <= bindparam("now"))
)
stop_waiting = delete(waiting).where(waiting.c.project == bindparam("project"))
wait = insert(waiting)
wait_on = update(waiting).where(
    waiting.c.project == bindparam("of"),
    waiting.c.pool == bindparam("of_pool"),
    waiting.c.until > bindparam("now"),
)
_holds_one = exists().where(allocations.c.project == waiting.c.project, allocations.c.ended_at.is_(None))
_in_line = (waiting.c.until > bindparam("now"), ~_holds_one)
count_waiting = (
    select(func.count()).select_from(waiting).where(waiting.c.pool == bindparam("pool"), *_in_line)
)
who_waits = select(waiting.c.project).where(waiting.c.pool == bindparam("pool"), *_in_line)
count_waiting_everywhere = select(waiting.c.pool, func.count()).where(*_in_line).group_by(waiting.c.pool)

every_instance = select(
    instances,
    allocations.c.project,
    allocations.c.allocated_at,
    allocations.c.expires_at,
    allocations.c.confirm_by,
    allocations.c.last_activity_at,
    allocations.c.tagged,
).outerjoin(allocations, allocations.c.instance_id == instances.c.id)
# The states by name: "not terminated" would read every instance that ever lived.
instances_in = every_instance.where(
    instances.c.pool == bindparam("pool"), instances.c.state.in_(bindparam("states", expanding=True))
)
named_instances = every_instance.where(instances.c.id.in_(bindparam("some", expanding=True)))
terminated_instances = named_instances.where(instances.c.state == InstanceState.TERMINATED.value)
one_instance = every_instance.where(instances.c.id == bindparam("instance"))
lock_instance = select(instances.c.id).where(instances.c.id == bindparam("instance")).with_for_update()

add_instance = insert(instances)
move = (
    update(instances)
    .where(instances.c.id == bindparam("instance"), instances.c.state == bindparam("expect"))
    .returning(instances.c.pool)
)
"""Sets the columns it is executed with, if the instance is still in the state `expect`."""
move_unheld = move.where(_unheld)
"""The same, if nobody holds it for inspection either."""
unhold = (
    update(instances)
    .where(instances.c.id == bindparam("instance"), instances.c.held_at.is_not(None))
    .values(held_at=None, held_by=None, held_until=None, hold_reason=None)
)
note = update(instances).where(instances.c.id == bindparam("instance"))
"""Sets the columns it is executed with, whatever the state."""
note_terminate_call = (
    update(instances)
    .where(
        instances.c.id == bindparam("instance"),
        instances.c.state == InstanceState.TERMINATING.value,
        _unheld,
    )
    .values(terminate_called_at=bindparam("called_at"))
)
forget_terminate_call = (
    update(instances)
    .where(instances.c.id == bindparam("instance"), instances.c.terminate_called_at == bindparam("called_at"))
    .values(terminate_called_at=None)
)

_row_of_failures = (
    boot_failures.c.pool == bindparam("of_pool"),
    boot_failures.c.template == bindparam("of_template"),
)
failures_of = select(boot_failures).where(*_row_of_failures)
failures_in = select(boot_failures).where(boot_failures.c.pool == bindparam("of_pool"))
end_failures = delete(boot_failures).where(*_row_of_failures)
add_failures = insert(boot_failures)

one_pool = select(pools).where(pools.c.name == bindparam("pool"))
every_pool = select(pools)
lock_pool = select(pools.c.name).where(pools.c.name == bindparam("pool")).with_for_update()
is_paused = (
    select(pools.c.paused_at.is_not(None)).where(pools.c.name == bindparam("pool")).with_for_update(read=True)
)
"""Whether an operator paused the pool; whoever wants to waits until this transaction is over."""
lock_told = (
    select(pools.c.limited_told, pools.c.limited_since)
    .where(pools.c.name == bindparam("pool"))
    .with_for_update()
)
"""What was told of the pool's limit; nobody else tells more until this transaction is over."""
owner = select(pools.c.group_name, pools.c.region).where(pools.c.name == bindparam("pool"))
add_pool = insert(pools)
replace_pool = update(pools).where(pools.c.name == bindparam("pool"))
