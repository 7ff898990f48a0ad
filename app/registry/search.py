"""Searches for people: by words, counted, and in an order in which what is new stands first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, false, func, or_, select

from app.domain.model import NOT_TERMINATED, InstanceState, PoolName
from app.ports import ENDED
from app.registry import statements
from app.registry.schema import allocations, instances, pools

_ALIVE = [state.value for state in NOT_TERMINATED]


@dataclass(frozen=True, slots=True)
class Search:
    """Two statements over the same rows."""

    part: Select[*tuple[Any, ...]]
    """`count` of them, after `skipped` others."""
    total: Select[int]


def _said(*columns: ColumnElement[Any]) -> ColumnElement[str]:
    """Put texts into one, apart by what stands in no word."""
    whole: ColumnElement[str] = func.coalesce(columns[0], "")
    for column in columns[1:]:
        whole = whole + "\n" + func.coalesce(column, "")
    return func.lower(whole)


# One by one by its key: a join would let PostgreSQL read all allocations, or all instances, that ever were.
_whose = (
    select(allocations.c.project)
    .where(allocations.c.instance_id == instances.c.id)
    .correlate(instances)
    .scalar_subquery()
)
_of_what = (
    select(_said(instances.c.id, instances.c.address, instances.c.zone))
    .where(instances.c.id == allocations.c.instance_id)
    .correlate(allocations)
    .scalar_subquery()
)
_gone = instances.alias()
where_the_last_ended_begin = select(
    pools.c.name,
    select(_gone.c.state_since)
    .where(_gone.c.pool == pools.c.name, _gone.c.state == InstanceState.TERMINATED.value)
    .order_by(_gone.c.state_since.desc())
    .limit(1)
    .offset(ENDED - 1)
    .scalar_subquery(),
)
"""For each pool since when the last ENDED of its terminated ones ended; none where there are fewer."""


def instances_with(
    *,
    pool: PoolName | None,
    state: InstanceState | None,
    held: bool | None,
    text: str,
    ended_since: Mapping[PoolName, datetime | None],
) -> Search:
    """Search the instances; of the terminated only those of these pools that ended so late."""
    ended = state is InstanceState.TERMINATED
    wanted: list[ColumnElement[bool]] = [instances.c.state.in_(_ALIVE if state is None else [state.value])]
    if pool is not None:
        wanted.append(instances.c.pool == pool)
    else:  # by name, or every instance that ever lived would be read
        wanted.append(instances.c.pool.in_(select(pools.c.name)))
    if ended:
        wanted.append(or_(false(), *starmap(_since, ended_since.items())))
    if held is not None:
        wanted.append(instances.c.held_at.is_not(None) if held else instances.c.held_at.is_(None))
    launched = func.coalesce(instances.c.launched_at, instances.c.state_since)
    return _search(
        statements.every_instance,
        key=instances.c.id,
        wanted=wanted,
        newest=instances.c.state_since if ended else launched,
        then=instances.c.id,
        said=_said(instances.c.id, _whose, instances.c.address, instances.c.zone),
        text=text,
    )


def allocations_with(*, pool: PoolName | None, text: str) -> Search:
    """Search the live allocations."""
    wanted: list[ColumnElement[bool]] = [allocations.c.ended_at.is_(None)]
    if pool is not None:
        wanted.append(allocations.c.pool == pool)
    return _search(
        statements.live_allocations,
        key=allocations.c.id,
        wanted=wanted,
        newest=allocations.c.allocated_at,
        then=allocations.c.project,
        said=_said(allocations.c.project, _of_what),
        text=text,
    )


def _search(
    whole: Select[*tuple[Any, ...]],
    *,
    key: ColumnElement[Any],
    wanted: Sequence[ColumnElement[bool]],
    newest: ColumnElement[Any],
    then: ColumnElement[Any],
    said: ColumnElement[str],
    text: str,
) -> Search:
    """Search the rows of a statement in which each word of a text is `said`."""
    found = select(key.label("key"), newest.label("newest"), then.label("then")).where(*wanted)
    if text:  # OFFSET keeps the two apart: what is said is put together once for each row, not for each word
        each = found.add_columns(said.label("said")).offset(0).subquery()
        some = (
            select(each.c.key).where(*_words(text, each.c.said)).order_by(each.c.newest.desc(), each.c.then)
        )
        total = select(func.count()).select_from(each).where(*_words(text, each.c.said))
    else:
        some = select(key).where(*wanted).order_by(newest.desc(), then)
        total = found.with_only_columns(func.count(), maintain_column_froms=True)
    # The keys first, so that no whole row is read and sorted but those that are shown.
    shown = some.offset(bindparam("skipped", type_=Integer)).limit(bindparam("count", type_=Integer))
    return Search(
        part=whole.where(key.in_(shown.scalar_subquery())).order_by(newest.desc(), then), total=total
    )


def _since(pool: PoolName, at: datetime | None) -> ColumnElement[bool]:
    of_pool = and_(instances.c.pool == pool, instances.c.state == InstanceState.TERMINATED.value)
    return of_pool if at is None else and_(of_pool, instances.c.state_since >= at)


def _words(text: str, said: ColumnElement[str]) -> list[ColumnElement[bool]]:
    words = set(text.lower().split())
    return [
        said.contains(word, autoescape=True)
        for word in sorted(words, key=lambda word: (-len(word), word))  # the rarest first, as a rule
        if not any(word in other for other in words - {word})  # who has a longer one has it, too
    ]
