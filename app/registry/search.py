"""Searches for people: by words, counted, and in an order in which what is new stands first."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, or_, select

from app.domain.model import NOT_TERMINATED, InstanceState, PoolName
from app.registry import statements
from app.registry.schema import allocations, instances, pools

MOST_WORDS = 5
"""Of one text: each is looked for in every row."""

_ALIVE = [state.value for state in NOT_TERMINATED]


@dataclass(frozen=True, slots=True)
class Search:
    """Two statements over the same rows."""

    part: Select[*tuple[Any, ...]]
    """`count` of them, after `skipped` others."""
    total: Select[int]


def instances_with(
    *, pool: PoolName | None, state: InstanceState | None, held: bool | None, text: str
) -> Search:
    """Search the instances."""
    wanted = [instances.c.state.in_(_ALIVE if state is None else [state.value]), *_words(text)]
    if pool is None:  # by name, or every instance that ever lived would be read
        wanted.append(instances.c.pool.in_(select(pools.c.name)))
    else:
        wanted.append(instances.c.pool == pool)
    if held is not None:
        wanted.append(instances.c.held_at.is_not(None) if held else instances.c.held_at.is_(None))
    source = (
        instances.outerjoin(allocations) if text else instances
    )  # who holds it, where words may name them
    if state is InstanceState.TERMINATED:  # of these there are ever more: in the order of the index
        order = (instances.c.state_since.desc(), instances.c.id)
    else:
        order = (func.coalesce(instances.c.launched_at, instances.c.state_since).desc(), instances.c.id)
    # The ids first, so that no whole row is read and sorted but those that are shown.
    some = select(instances.c.id).select_from(source).where(*wanted).order_by(*order)
    return Search(
        part=statements.every_instance.where(instances.c.id.in_(_slice(some).scalar_subquery())).order_by(
            *order
        ),
        total=select(func.count()).select_from(source).where(*wanted),
    )


def allocations_with(*, pool: PoolName | None, text: str) -> Search:
    """Search the live allocations."""
    wanted = [allocations.c.ended_at.is_(None), *_words(text)]
    if pool is not None:
        wanted.append(allocations.c.pool == pool)
    source = allocations.join(instances) if text else allocations
    order = (allocations.c.allocated_at.desc(), allocations.c.project)
    some = select(allocations.c.id).select_from(source).where(*wanted).order_by(*order)
    return Search(
        part=statements.live_allocations.where(allocations.c.id.in_(_slice(some).scalar_subquery())).order_by(
            *order
        ),
        total=select(func.count()).select_from(source).where(*wanted),
    )


def _slice(found: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return found.offset(bindparam("skipped", type_=Integer)).limit(bindparam("count", type_=Integer))


def _words(text: str) -> list[ColumnElement[bool]]:
    columns = (instances.c.id, allocations.c.project, instances.c.address, instances.c.zone)
    return [
        or_(*(column.icontains(word, autoescape=True) for column in columns))
        for word in text.split()[:MOST_WORDS]
    ]
