"""Lists, a page at a time: by a key that never changes, with one row more than asked: do others follow?"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Integer, Row, Select, bindparam, exists, select

from app.domain.errors import AllocationNotFound, InstanceNotFound
from app.domain.events import Event
from app.domain.model import (
    NOT_TERMINATED,
    Allocation,
    Instance,
    InstanceId,
    InstanceState,
    PoolName,
    ProjectId,
)
from app.ports import Matches, Page
from app.registry import rows, search, statements
from app.registry.schema import allocations, events, instances, pools
from app.registry.search import Search
from app.registry.transactions import Transactions

Item = TypeVar("Item")

# An address is noted when an instance is ready, or found to be in use, and stays.
_once_ready = select(
    exists().where(
        instances.c.pool == bindparam("of"),
        instances.c.state.in_(sorted(InstanceState)),
        instances.c.address.is_not(None),
    )
)
_ALIVE = [state.value for state in NOT_TERMINATED]


class SqlCatalogue:
    """The Catalogue port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._looking = transactions.looking

    def allocations(
        self, *, pool: PoolName | None = None, after: ProjectId | None = None, limit: int
    ) -> Page[Allocation]:
        """See Catalogue.allocations."""
        wanted = statements.live_allocations.order_by(allocations.c.project)
        wanted = _where(wanted, {allocations.c.pool: pool})
        if after is not None:
            wanted = wanted.where(allocations.c.project > after)
        found, more = self._page(wanted, limit)
        return Page([rows.allocation(row) for row in found], more)

    def allocation(self, project: ProjectId) -> Allocation:
        """See Catalogue.allocation."""
        with self._looking() as tx:
            row = tx.execute(statements.held_by, {"project": project}).one_or_none()
        if row is None:
            raise AllocationNotFound(f"Project '{project}' holds no instance.")
        return rows.allocation(row)

    def instances(
        self,
        *,
        pool: PoolName | None = None,
        state: InstanceState | None = None,
        after: InstanceId | None = None,
        limit: int,
    ) -> Page[Instance]:
        """See Catalogue.instances."""
        some = _where(select(instances.c.id), {instances.c.pool: pool})
        some = some.where(instances.c.state.in_(_ALIVE if state is None else [state.value]))
        if pool is None:  # by name, or every instance that ever lived would be read
            some = some.where(instances.c.pool.in_(select(pools.c.name)))
        if after is not None:
            some = some.where(instances.c.id > after)
        # The ids first, so that no whole row is read and sorted but those that are shown.
        shown = some.order_by(instances.c.id).limit(bindparam("count", type_=Integer))
        with self._looking() as tx:
            wanted = statements.every_instance.where(instances.c.id.in_(shown.scalar_subquery()))
            found = tx.execute(wanted.order_by(instances.c.id), {"count": limit + 1}).all()
        return Page([rows.instance(row) for row in found[:limit]], more=len(found) > limit)

    def find_instances(
        self,
        *,
        pool: PoolName | None = None,
        state: InstanceState | None = None,
        held: bool | None = None,
        text: str = "",
        offset: int = 0,
        limit: int,
    ) -> Matches[Instance]:
        """See Catalogue.find_instances."""
        ended_since = self._ended_since(pool) if state is InstanceState.TERMINATED else {}
        found = search.instances_with(pool=pool, state=state, held=held, text=text, ended_since=ended_since)
        return self._matches(found, rows.instance, offset, limit)

    def find_allocations(
        self, *, pool: PoolName | None = None, text: str = "", offset: int = 0, limit: int
    ) -> Matches[Allocation]:
        """See Catalogue.find_allocations."""
        return self._matches(search.allocations_with(pool=pool, text=text), rows.allocation, offset, limit)

    def instance(self, instance: InstanceId) -> Instance:
        """See Catalogue.instance."""
        with self._looking() as tx:
            row = tx.execute(statements.one_instance, {"instance": instance}).one_or_none()
        if row is None:
            raise InstanceNotFound(f"{instance} is not an instance of ours.")
        return rows.instance(row)

    def was_ever_ready(self, pool: PoolName) -> bool:
        """See Catalogue.was_ever_ready."""
        with self._looking() as tx:
            found = tx.execute(_once_ready, {"of": pool}).scalar_one()
        return bool(found)

    def events(
        self,
        *,
        pool: PoolName | None = None,
        project: ProjectId | None = None,
        instance: InstanceId | None = None,
        before: int | None = None,
        limit: int,
    ) -> Page[Event]:
        """See Catalogue.events."""
        wanted = select(events).order_by(events.c.id.desc())
        filters: dict[Any, str | None] = {
            events.c.pool: pool,
            events.c.project: project,
            events.c.instance_id: instance,
        }
        wanted = _where(wanted, filters)
        if before is not None:
            wanted = wanted.where(events.c.id < before)
        found, more = self._page(wanted, limit)
        return Page([rows.event(row) for row in found], more)

    def _ended_since(self, pool: PoolName | None) -> Mapping[PoolName, datetime | None]:
        wanted = _where(search.where_the_last_ended_begin, {pools.c.name: pool})
        with self._looking() as tx:
            return {name: at for name, at in tx.execute(wanted)}  # noqa: C416 - exactly two columns

    def _matches(
        self,
        search: Search,
        read: Callable[[Row[*tuple[Any, ...]]], Item],
        offset: int,
        limit: int,
    ) -> Matches[Item]:
        with self._looking() as tx:
            found = [read(row) for row in tx.execute(search.part, {"skipped": offset, "count": limit})]
            if len(found) < limit and (found or not offset):  # the end of the list says how long it is
                return Matches(found, offset + len(found))
            return Matches(found, tx.execute(search.total).scalar_one())

    def _page(self, wanted: Select[*tuple[Any, ...]], limit: int) -> tuple[list[Row[*tuple[Any, ...]]], bool]:
        with self._looking() as tx:
            found = list(tx.execute(wanted.limit(bindparam("count")), {"count": limit + 1}))
        return found[:limit], len(found) > limit


def _where(wanted: Select[*tuple[Any, ...]], filters: Mapping[Any, str | None]) -> Select[*tuple[Any, ...]]:
    for column, value in filters.items():
        if value is not None:
            wanted = wanted.where(column == value)
    return wanted
