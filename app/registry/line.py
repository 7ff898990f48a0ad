"""The lines of those who wait, in one table: short transactions, and the database's clock."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from app.domain.model import EndReason, InstanceState, PoolName, ProjectId
from app.ports import Prospect, RequestId, Standing
from app.registry import launches, places, statements, steps
from app.registry.places import KEPT, LASTS, SERVED, at, is_kept, lives
from app.registry.schema import allocations, instances, line, pools, waiting
from app.registry.transactions import Transactions

SAY_AGAIN = timedelta(seconds=1)
"""How long a place goes on before it is said again that somebody waits there: a look need not write."""
OVER = timedelta(minutes=1)
"""After how long what is left of a place is thrown away, in whichever line, and also what has ended none."""
LEFT = RequestId("")
"""The request of a place that was given up, and is kept for the next one of its project."""

_in_line = (
    select(line.c.request, line.c.until).where(line.c.pool == bindparam("pool"), is_kept).order_by(line.c.id)
)
_queue = select(line.c.project).where(line.c.pool == bindparam("pool"), is_kept).order_by(line.c.id)
_taken_over = select(line.c.project).where(
    line.c.project.in_(bindparam("some", expanding=True)),
    line.c.request.not_in(bindparam("asked", expanding=True)),
    line.c.pool != SERVED,
    lives,
)
_holding = select(allocations.c.project).where(
    allocations.c.project.in_(bindparam("some", expanding=True)), allocations.c.ended_at.is_(None)
)
_place_of = select(line.c.request).where(line.c.project == bindparam("of"), line.c.pool != SERVED, lives)
_over = (
    select(line.c.id)
    .where(or_(line.c.until < bindparam("before"), line.c.until > bindparam("after")))
    .with_for_update(skip_locked=True)
)
_tidy = delete(line).where(line.c.id.in_(_over))
_come_back = (
    update(line)
    .where(line.c.project == bindparam("of"), line.c.pool == bindparam("of_pool"), is_kept)
    .values(request=bindparam("by"), until=bindparam("lasts_until"))
)
_enter = insert(line)
_go_on = (
    update(line)
    .where(line.c.request.in_(bindparam("some", expanding=True)), line.c.pool != SERVED, is_kept)
    .values(until=bindparam("lasts_until"))
)
_those = line.c.request.in_(bindparam("some", expanding=True))
_leave = (
    # Nobody waits there, and no look of the process that left says so any more.
    update(line).where(_those, line.c.pool != SERVED, lives).values(request=LEFT, until=bindparam("now"))
)
_vanish = delete(line).where(_those).returning(line.c.project, line.c.pool, line.c.until)
_stop_waiting = delete(waiting).where(waiting.c.project.in_(bindparam("some", expanding=True)))
_on_their_way = select(instances.c.launched_at, instances.c.state_since).where(
    instances.c.pool == bindparam("pool"),
    instances.c.state == InstanceState.BOOTING.value,
    instances.c.address.is_(None),  # or it was ready before, and nobody knows what it waits for
    instances.c.held_at.is_(None),
)
_unhindered = select(pools.c.limited_by.is_(None) & pools.c.paused_at.is_(None)).where(
    pools.c.name == bindparam("pool")
)


@dataclass(frozen=True, slots=True)
class _Seen:
    standing: Standing
    due: Collection[RequestId]
    """For whom it is to be said again that they wait."""
    lapsed: Collection[RequestId]
    """Whose places are over, because it was not said in time, and can be had back."""


class SqlLine:
    """The Line port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def enter(
        self, pool: PoolName, project: ProjectId, request: RequestId, *, yielding: bool = False
    ) -> None:
        """See Line.enter."""
        with self._transactions.exclusively() as tx:
            self._queue(tx, project)
            if self._transactions.lock_rows:
                places.queue_line(tx, pool)  # so that the numbers are seen in their order
            now = self._transactions.time(tx)
            if yielding:
                there = tx.execute(_place_of, {"of": project, **at(now)}).scalar_one_or_none()
                if there not in {None, request}:
                    return
            tx.execute(_tidy, {"before": now - OVER, "after": now + OVER})
            stands = {"of": project, "of_pool": pool, "by": request, "lasts_until": now + LASTS}
            if tx.execute(_come_back, {**stands, **_kept(now)}).rowcount == 0:
                places.end(tx, project)
                new = {"project": project, "pool": pool, "request": request, "until": now + LASTS}
                tx.execute(_enter, new)

    def look(
        self, pool: PoolName, requests: Mapping[RequestId, ProjectId], *, ready_since: datetime
    ) -> Standing:
        """See Line.look."""
        seen = self._see(pool, requests, ready_since)
        if seen.due:
            self._go_on(sorted(seen.due))
        if seen.lapsed:
            seen = self._see(pool, requests, ready_since)
        return seen.standing

    def _see(self, pool: PoolName, requests: Mapping[RequestId, ProjectId], ready_since: datetime) -> "_Seen":
        with self._transactions.looking() as tx:
            now = self._transactions.time(tx)
            there = tx.execute(_in_line, {"pool": pool, **at(now)}).all()
            living = [row for row in there if now < row.until <= now + LASTS]
            supply = places.supply(tx, pool, ready_since, most=len(living) + 1)
            holding = set(tx.execute(_holding, {"some": sorted(set(requests.values()))}).scalars())
            ahead = {row.request: before for before, row in enumerate(living) if row.request in requests}
            placeless = {request: of for request, of in requests.items() if request not in ahead}
            lost = {"some": sorted(placeless.values()), "asked": sorted(placeless), **at(now)}
            elsewhere = set(tx.execute(_taken_over, lost).scalars()) if placeless else set()
        standing = Standing(
            ready=supply.ready,
            doubtful=supply.doubtful,
            ahead=ahead,
            replaced={request for request, project in placeless.items() if project in elsewhere},
            served={request for request, project in requests.items() if project in holding},
        )
        lapsed = {row.request for row in there if row.request in placeless}
        again = {row.request for row in living if row.request in ahead and _is_due(row.until - now)}
        return _Seen(standing, due=again | lapsed, lapsed=lapsed)

    def leave(self, requests: Collection[RequestId], *, demand: bool) -> None:
        """See Line.leave."""
        with self._transactions.exclusively() as tx:
            now = self._transactions.time(tx)
            if demand:
                tx.execute(_leave, {"some": sorted(requests), **_living(now)})
                return
            left = tx.execute(_vanish, {"some": sorted(requests)}).all()
            # One that is over for so long made no demand that lasts until now: others may have.
            stood = sorted(row.project for row in left if row.pool != SERVED and row.until > now - KEPT)
            if stood:
                tx.execute(_stop_waiting, {"some": stood})

    def abandon(self, project: ProjectId, request: RequestId, *, actor: str, now: datetime) -> bool:
        """See Line.abandon."""
        with self._transactions.exclusively() as tx:
            self._queue(tx, project)
            if not places.end_served(tx, project, request):
                return False
            found = steps.holder(tx, project)
            if found is None:
                return False
            ends = (InstanceState.ALLOCATED, InstanceState.TERMINATING)
            steps.end(tx, found[1].id, ends, EndReason.ABANDONED, actor=actor, now=now)
            return True

    def prospect(self, pool: PoolName, *, ready_since: datetime) -> Prospect:
        """See Line.prospect."""
        with self._transactions.looking() as tx:
            now = self._transactions.time(tx)
            standing = tx.execute(_queue, {"pool": pool, **at(now)}).scalars().all()
            asking = tx.execute(statements.who_waits, {"pool": pool, "now": now}).scalars().all()
            demand = {*standing, *asking}
            ready = places.supply(tx, pool, ready_since, most=len(demand)).ready if demand else 0
            booting = tx.execute(_on_their_way, {"pool": pool}).all()
            more = tx.execute(_unhindered, {"pool": pool}).scalar_one_or_none()
            measured = launches.measured(tx, pool)
        return Prospect(
            line=standing,
            demand=demand,
            ready=ready,
            booting=[max(timedelta(), now - (row.launched_at or row.state_since)) for row in booting],
            measured=measured,
            more=bool(more),
        )

    def _go_on(self, requests: Collection[RequestId]) -> None:
        with self._transactions.exclusively() as tx:
            now = self._transactions.time(tx)
            tx.execute(_go_on, {"some": requests, "lasts_until": now + LASTS, **_kept(now)})

    def _queue(self, tx: Connection, project: ProjectId) -> None:
        """See SqlRegistry: what concerns one project happens one after the other."""
        if self._transactions.lock_rows:
            tx.execute(statements.queue_project, {"project": project})


def _is_due(left: timedelta) -> bool:
    return left <= LASTS - SAY_AGAIN


def _kept(now: datetime) -> Mapping[str, datetime]:
    """Return what `is_kept` alone is asked with."""
    return {name: value for name, value in at(now).items() if name.startswith("kept")}


def _living(now: datetime) -> Mapping[str, datetime]:
    """Return what `lives` alone is asked with."""
    return {"now": now, "lasts_to": now + LASTS}
