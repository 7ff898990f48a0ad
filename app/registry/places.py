"""Places in line, as steps of the registry's transactions: whose turn it is, and when a place ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, func, or_, select, update

from app.domain.model import InstanceState, PoolName, ProjectId
from app.ports import RequestId
from app.registry.schema import instances, line

LASTS = timedelta(seconds=3)
"""How long a place lasts unless its replica says before that it is waited there still."""
SERVED = PoolName("")
"""The pool of a place whose request has just been given an instance: it stands in no line any more."""

_any_in = select(exists().where(line.c.pool == bindparam("pool")))
_queue_line = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("line"), 0)))

_lives = line.c.until > bindparam("now")
_own = line.alias("own")
_own_place = (
    select(_own.c.id)
    .where(
        _own.c.project == bindparam("of"),
        _own.c.pool == bindparam("of_pool"),
        _own.c.until > bindparam("now"),
    )
    .scalar_subquery()
)
_before = (
    _lives,
    line.c.project != bindparam("of"),
    or_(_own_place.is_(None), line.c.id < _own_place),
)
_count = select(
    func.count().filter(*_before).label("ahead"),
    func.count().filter(~_lives).label("over"),
).where(line.c.pool == bindparam("of_pool"))
_over = (
    select(line.c.id).where(line.c.pool == bindparam("of_pool"), ~_lives).with_for_update(skip_locked=True)
)
_forget = delete(line).where(line.c.id.in_(_over))

_supply = select(
    func.count().label("idle"),
    func.count().filter(instances.c.ready_at >= bindparam("ready_since")).label("ready"),
).where(
    instances.c.pool == bindparam("of_pool"),
    instances.c.state == InstanceState.IDLE.value,
    instances.c.held_at.is_(None),
)

_of_the_project = line.c.project == bindparam("of")
_end = delete(line).where(_of_the_project)
_end_of_another = _end.where(line.c.request != bindparam("by"))
_serve = update(line).where(_of_the_project).values(pool=SERVED)
_end_served = _end.where(line.c.request == bindparam("by"), line.c.pool == SERVED)


@dataclass(frozen=True, slots=True)
class Supply:
    """How many instances of a pool may be handed out."""

    ready: int
    doubtful: int


def supply(tx: Connection, pool: PoolName, ready_since: datetime | None) -> Supply:
    """Count the idle instances, and of them those found ready since then; None: all are."""
    found = tx.execute(_supply, {"of_pool": pool, "ready_since": ready_since}).one()
    ready = found.idle if ready_since is None else found.ready
    return Supply(ready=ready, doubtful=found.idle - ready)


def queue_line(tx: Connection, pool: PoolName) -> None:
    """Have those who count on a line, or get into it, do so one after the other (PostgreSQL)."""
    tx.execute(_queue_line, {"line": f"line of {pool}"})  # no project has such a name: see queue_project


def any_in(tx: Connection, pool: PoolName) -> bool:
    """Whether anybody stands in the pool's line, or did a moment ago."""
    return bool(tx.execute(_any_in, {"pool": pool}).scalar_one())


def is_its_turn(
    tx: Connection,
    pool: PoolName,
    project: ProjectId,
    *,
    ready_since: datetime | None,
    side_by_side: bool,
    clock: Callable[[], datetime],
) -> bool:
    """Whether more instances are ready than projects stand before this one.

    Before it are those before its place, and all in the line where it has none. It stays so until this
    transaction is over, also where others run `side_by_side`.
    """
    if side_by_side:
        queue_line(tx, pool)
    now = clock()
    standing = tx.execute(_count, {"of": project, "of_pool": pool, "now": now}).one()
    if standing.over:
        tx.execute(_forget, {"of_pool": pool, "now": now})
    return supply(tx, pool, ready_since).ready > int(standing.ahead)


def serve(tx: Connection, project: ProjectId, request: RequestId | None) -> None:
    """End the project's place, for it has an instance now.

    Where the `request` that stood there got it, that is noted: see `end_served`.
    """
    if request is None:
        end(tx, project)
    else:
        tx.execute(_end_of_another, {"of": project, "by": request})
        tx.execute(_serve, {"of": project})


def end(tx: Connection, project: ProjectId) -> None:
    """End the project's place, and forget what was noted of who got its instance."""
    tx.execute(_end, {"of": project})


def end_served(tx: Connection, project: ProjectId, request: RequestId) -> bool:
    """Forget that this request got the project's instance; False where another has asked for it since."""
    return tx.execute(_end_served, {"of": project, "by": request}).rowcount > 0
