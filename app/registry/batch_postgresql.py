"""What a batch of claims asks of PostgreSQL: two statements, because each is a way there and back."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    Select,
    String,
    bindparam,
    column,
    exists,
    func,
    insert,
    literal_column,
    select,
    true,
    update,
)

from app.domain.events import EventKind
from app.domain.limits import Limits
from app.domain.model import InstanceState, ProjectId
from app.registry import statements
from app.registry.batch_alike import LIMITS, Alike, ends
from app.registry.claims import Claim
from app.registry.compiled import Compiled
from app.registry.schema import Utc, allocations, events, instances, line


class OnPostgresql:
    """Beside other replicas: it waits for none of them, and leaves aside whom they are concerned with."""

    def __init__(self, dialect: Dialect) -> None:
        self._look = Compiled(_look, dialect)
        self._give = cache(lambda count, ready, told: Compiled(_give(count, ready, told), dialect))

    def look(self, tx: Connection, projects: Sequence[ProjectId]) -> tuple[Sequence[Any], set[ProjectId]]:
        """Lock these projects; return what they hold, and which of them are not for a batch.

        Those that have a place in any line, and those that somebody else has locked.
        """
        found = self._look.rows(tx, {"projects": projects})
        held = [row for row in found if row.instance_id is not None]
        return held, {row.asked for row in found if row.in_line or not row.locked}

    def give(self, tx: Connection, alike: Alike, *, told: bool) -> Sequence[Any]:
        """Allocate to them in their order, as far as there is something for them: return the instances.

        `told` adds that to the audit trail.
        """
        since = alike.ready_since
        asked = [
            _asked(place, claim, limits)
            for place, (claim, limits) in enumerate(zip(alike.claims, alike.limits, strict=True), 1)
        ]
        wanted = {"of_pool": alike.pool, "now": alike.now, "asked": asked}
        if since is not None:
            wanted["ready_since"] = since
        return self._give(len(asked), since is not None, told).rows(tx, wanted)


def _asked(place: int, claim: Claim, limits: Limits) -> Mapping[str, object]:
    written = {column: end.isoformat() for column, end in ends(limits).items()}
    return {"place": place, "project": claim.project, "actor": claim.actor, **written}


# One by one: where PostgreSQL knows little of a table, it would rather read all of it.
_each = func.json_array_elements_text(bindparam("projects", type_=JSON)).table_valued("value")
_its = (
    statements.live_allocations.where(allocations.c.project == _each.c.value).limit(statements.ONE).lateral()
)
_look = select(
    _each.c.value.label("asked"),
    # The key is that of statements.queue_project. What a statement sees may be older than a lock that it
    # gets: a project that got its instance in between is refused a second one by the schema.
    func.pg_try_advisory_xact_lock(func.hashtextextended(_each.c.value, 0)).label("locked"),
    exists().where(line.c.project == _each.c.value).label("in_line"),
    *_its.c,
).select_from(_each.outerjoin(_its, true()))


def _give(count: int, ready: bool, told: bool) -> Select[Any]:
    """Take, allocate and tell: what is taken is numbered, and its number is a place among those who ask."""
    # What locks rows in a table expression is done once, and never becomes part of a join.
    those = statements.longest_idle(count, ready=ready).cte("those")
    now = bindparam("now", type_=Utc)
    taken = (
        update(instances)
        .where(instances.c.id.in_(select(those.c.id)))
        .values(state=InstanceState.ALLOCATED.value, state_since=now)
        .returning(instances.c.id, instances.c.address, instances.c.port)
        .cte("taken")
    )
    numbered = select(*taken.c, func.row_number().over().label("place")).cte("numbered")
    asked = (
        func.json_to_recordset(bindparam("asked", type_=JSON))
        .table_valued(
            column("place", Integer),
            column("project", String),
            column("actor", String),
            *(column(name, allocations.c[name].type) for name in LIMITS),
        )
        .render_derived(with_types=True)
    )
    given = (
        select(*numbered.c, *(one for one in asked.c if one.key != "place"))
        .join(asked, asked.c.place == numbered.c.place)
        .cte("given")
    )
    pool = bindparam("of_pool", type_=String)
    made = insert(allocations).from_select(
        ("project", "pool", "instance_id", "allocated_at", "tagged", *LIMITS),
        select(
            given.c.project, pool, given.c.id, now, literal_column("false"), *(given.c[_] for _ in LIMITS)
        ),
    )
    kind: ColumnElement[str] = literal_column(f"'{EventKind.ALLOCATION_CREATED}'")
    line_of_trail = insert(events).from_select(
        ("at", "kind", "pool", "actor", "instance_id", "project"),
        select(now, kind, pool, given.c.actor, given.c.id, given.c.project),
    )
    written = [made.cte("made"), *([line_of_trail.cte("told")] if told else [])]
    return select(given.c.id, given.c.address, given.c.port).order_by(given.c.place).add_cte(*written)
