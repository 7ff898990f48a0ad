"""Places in line, as steps of the registry's transactions: whose turn it is, and when a place ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, bindparam, delete, exists, func, not_, or_, select, update
from sqlalchemy.exc import OperationalError

from app.domain.model import InstanceState, PoolName, ProjectId
from app.ports import RequestId
from app.registry.schema import instances, line

LASTS = timedelta(seconds=3)
"""How long a place lasts unless its replica says before that it is waited there still."""
KEPT = timedelta(seconds=30)
"""How long the number of a place that is over is kept, for its project to come back to it."""
SERVED = PoolName("")
"""The pool of a place whose request has just been given an instance: it stands in no line any more."""

lives = (line.c.until > bindparam("now")) & (line.c.until <= bindparam("lasts_to"))
"""Whether somebody waits there. Not where it ends later than any may: the clock was set back since."""
is_kept = (line.c.until > bindparam("kept_since")) & (line.c.until <= bindparam("kept_to"))
"""Whether it lives, or its project may still come back to it."""

_any_in = select(exists().where(line.c.pool == bindparam("pool")))
_line_of = func.hashtextextended(bindparam("line"), 0)
_queue_line = select(func.pg_advisory_xact_lock(_line_of))
_queue_line_unless_it_is_long = select(func.pg_try_advisory_xact_lock(_line_of))

_own = line.alias("own")
_own_place = (
    select(_own.c.id)
    .where(
        _own.c.project == bindparam("of"),
        _own.c.pool == bindparam("of_pool"),
        _own.c.until > bindparam("now"),
        _own.c.until <= bindparam("lasts_to"),
    )
    .scalar_subquery()
)
_ahead = (
    select(func.count())
    .where(
        line.c.pool == bindparam("of_pool"),
        lives,
        line.c.project != bindparam("of"),
        or_(_own_place.is_(None), line.c.id < _own_place),
    )
    .scalar_subquery()
)
_over = (line.c.pool == bindparam("of_pool"), not_(is_kept))
_idle = select(instances.c.id).where(
    instances.c.pool == bindparam("of_pool"),
    instances.c.state == InstanceState.IDLE.value,
    instances.c.held_at.is_(None),
)
_ready = _idle.where(instances.c.ready_at >= bindparam("ready_since"))
_turn, _turn_of_the_ready = (
    select(
        _ahead.label("ahead"),
        _own_place.is_not(None).label("stands"),
        exists().where(*_over).label("any_over"),
        exists(some.offset(_ahead)).label("enough"),  # counts no further than it must
    )
    for some in (_idle, _ready)
)
_forget = delete(line).where(line.c.id.in_(select(line.c.id).where(*_over).with_for_update(skip_locked=True)))

_supply = select(
    *(
        select(func.count())
        .select_from(some.limit(bindparam("most")).subquery())
        .scalar_subquery()
        .label(name)
        for some, name in ((_idle, "idle"), (_ready, "ready"))
    )
)

_of_the_project = line.c.project == bindparam("of")
_end = delete(line).where(_of_the_project)
_end_of_another = _end.where(line.c.request != bindparam("by"))
_end_unless_served = _end.where(or_(line.c.request != bindparam("by"), line.c.pool != SERVED))
_serve = update(line).where(_of_the_project).values(pool=SERVED)
_end_served = _end.where(line.c.request == bindparam("by"), line.c.pool == SERVED)


@dataclass(frozen=True, slots=True)
class Supply:
    """How many instances of a pool may be handed out."""

    ready: int
    doubtful: int


def at(now: datetime) -> Mapping[str, datetime]:
    """Return what `lives` and `is_kept` are asked with."""
    return {"now": now, "lasts_to": now + LASTS, "kept_since": now - KEPT, "kept_to": now + KEPT}


def supply(tx: Connection, pool: PoolName, ready_since: datetime, *, most: int) -> Supply:
    """Count the instances found ready since then, and then other idle ones, until there are so many."""
    wanted = {"of_pool": pool, "ready_since": ready_since, "most": most}
    found = tx.execute(_supply, wanted).one()
    return Supply(ready=found.ready, doubtful=found.idle - found.ready)


def queue_line(tx: Connection, pool: PoolName) -> None:
    """Have those who count on a line, or get into it, do so one after the other (PostgreSQL)."""
    tx.execute(_queue_line, _of_line(pool))


def any_in(tx: Connection, pool: PoolName) -> bool:
    """Whether anybody stands in the pool's line, or did not long ago."""
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
    transaction is over, also where others run `side_by_side`. Where others are in the way of being sure of
    that for too long, it is not the turn of one that has no place.
    """
    statement = _turn if ready_since is None else _turn_of_the_ready
    asked: dict[str, object] = {"of": project, "of_pool": pool, "ready_since": ready_since}
    now = clock()
    turn = tx.execute(statement, {**asked, **at(now)}).one()
    if turn.any_over:
        tx.execute(_forget, {"of_pool": pool, **at(now)})
    if not (turn.enough and turn.ahead and side_by_side):
        return bool(turn.enough)
    # Two who have somebody before them must not both count on the same instance; nobody need wait to learn
    # that there is none for him, and who stands first takes none from anybody.
    if not _is_alone(tx, pool, patient=turn.stands):
        return False
    return bool(tx.execute(statement, {**asked, **at(clock())}).one().enough)


def _is_alone(tx: Connection, pool: PoolName, *, patient: bool) -> bool:
    """Wait for others who count on the line; False after a while, unless `patient`: that is an error."""
    if tx.execute(_queue_line_unless_it_is_long, _of_line(pool)).scalar_one():
        return True
    try:
        with tx.begin_nested():
            queue_line(tx, pool)
    except OperationalError as error:
        if patient or not isinstance(error.orig, LockNotAvailable):
            raise
        return False
    return True


def _of_line(pool: PoolName) -> Mapping[str, str]:
    return {"line": f"line of {pool}"}  # no project has such a name: see queue_project


def serve(tx: Connection, project: ProjectId, request: RequestId | None) -> None:
    """End the project's place, for it has an instance now.

    Where the `request` that stood there got it, that is noted: see `end_served`.
    """
    if request is None:
        end(tx, project)
    else:
        tx.execute(_end_of_another, {"of": project, "by": request})
        tx.execute(_serve, {"of": project})


def end(tx: Connection, project: ProjectId, *, but_what_got: RequestId | None = None) -> None:
    """End the project's place, and forget what was noted of who got its instance.

    Not so where that is `but_what_got`: it asks once more.
    """
    if but_what_got is None:
        tx.execute(_end, {"of": project})
    else:
        tx.execute(_end_unless_served, {"of": project, "by": but_what_got})


def end_served(tx: Connection, project: ProjectId, request: RequestId) -> bool:
    """Forget that this request got the project's instance; False where another has asked for it since."""
    return tx.execute(_end_served, {"of": project, "by": request}).rowcount > 0
