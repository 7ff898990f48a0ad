"""What a batch of claims asks of SQLite: a number of steps that hardly grows with the batch.

Each step of SQLite's lets other threads in, and a busy process waits for its turn again after each. So there
is one INSERT for all rows, and nothing comes back for a project of which there is nothing to tell.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    CompoundSelect,
    Connection,
    Dialect,
    Update,
    bindparam,
    insert,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from app.domain.events import EventKind
from app.domain.model import InstanceState, ProjectId
from app.registry import statements
from app.registry.batch_alike import LIMITS, Alike, ends
from app.registry.compiled import Compiled
from app.registry.schema import allocations, events, instances, line


class OnSqlite:
    """Alone in the database: what it finds stays as it is until it is done."""

    def __init__(self, dialect: Dialect) -> None:
        self._look = cache(lambda count: Compiled(_look(count), dialect))
        self._take = cache(lambda count, ready: Compiled(_take(count, ready=ready), dialect))
        self._allocations = Compiled(_add_allocation, dialect)
        self._events = Compiled(_add_event, dialect)

    def look(self, tx: Connection, projects: Sequence[ProjectId]) -> tuple[Sequence[Any], set[ProjectId]]:
        """Return what these projects hold, and which of them have a place in any line."""
        values = {f"project_{number}": project for number, project in enumerate(projects)}
        found = self._look(len(projects)).rows(tx, values)
        held = [row for row in found if row.instance_id is not None]
        return held, {row.project for row in found if row.instance_id is None}

    def give(self, tx: Connection, alike: Alike, *, told: bool) -> Sequence[Any]:
        """Allocate to them in their order, as far as there is something for them: return the instances.

        `told` adds that to the audit trail.
        """
        now, since = alike.now, alike.ready_since
        wanted = {"of_pool": alike.pool, "now": now, "ready_since": since}
        taken = self._take(len(alike.claims), since is not None).rows(tx, wanted)
        rows = [
            {"project": claim.project, "actor": claim.actor, "instance_id": instance.id, **ends(limits)}
            for claim, limits, instance in zip(alike.claims, alike.limits, taken, strict=False)
        ]
        if rows:
            same = {"pool": alike.pool, "now": now, **dict.fromkeys(LIMITS)}
            self._allocations.insert(tx, rows, same=same)
            if told:
                self._events.insert(tx, rows, same=same)
        return taken


def _look(count: int) -> CompoundSelect[Any]:
    asked: list[BindParameter[str]] = [bindparam(f"project_{number}") for number in range(count)]
    held = statements.live_allocations.where(allocations.c.project.in_(asked))
    nothing = [null() for _ in statements.HELD[1:]]
    return union_all(held, select(line.c.project, *nothing).where(line.c.project.in_(asked)))


def _take(count: int, *, ready: bool) -> Update:
    those = statements.longest_idle(count, ready=ready)
    return (
        update(instances)
        .where(instances.c.id.in_(those))
        .values(state=InstanceState.ALLOCATED.value, state_since=bindparam("now"))
        .returning(instances.c.id, instances.c.address, instances.c.port)
    )


_add_allocation = insert(allocations).values(
    project=bindparam("project"),
    pool=bindparam("pool"),
    instance_id=bindparam("instance_id"),
    allocated_at=bindparam("now"),
    tagged=literal_column("0"),
    expires_at=bindparam("expires_at"),
    warn_at=bindparam("warn_at"),
    confirm_by=bindparam("confirm_by"),
)
_add_event = insert(events).values(
    at=bindparam("now"),
    kind=literal_column(f"'{EventKind.ALLOCATION_CREATED}'"),
    pool=bindparam("pool"),
    actor=bindparam("actor"),
    instance_id=bindparam("instance_id"),
    project=bindparam("project"),
)
