"""The lines of those who wait, in one table: short transactions, and the database's clock."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from app.domain.model import EndReason, InstanceState, PoolName, ProjectId
from app.ports import Prospect, RequestId, Standing
from app.registry import launches, places, statements, steps
from app.registry.places import LASTS, SERVED
from app.registry.schema import allocations, instances, line, pools, waiting
from app.registry.transactions import Transactions

SAY_AGAIN = timedelta(seconds=1)
"""How long a place goes on before it is said again that somebody waits there: a look need not write."""
KEPT = timedelta(minutes=1)
"""How long what is left of a place is kept, for those who might still ask for it."""

_lives = line.c.until > bindparam("now")
_living = (
    select(line.c.request, line.c.until).where(line.c.pool == bindparam("pool"), _lives).order_by(line.c.id)
)
_count_living = select(func.count()).where(line.c.pool == bindparam("pool"), _lives)
_taken_over = select(line.c.project).where(
    line.c.project.in_(bindparam("some", expanding=True)),
    line.c.request.not_in(bindparam("asked", expanding=True)),
    line.c.pool != SERVED,
    _lives,
)
_holding = select(allocations.c.project).where(
    allocations.c.project.in_(bindparam("some", expanding=True)), allocations.c.ended_at.is_(None)
)
_place_of = select(line.c.request).where(line.c.project == bindparam("of"), line.c.pool != SERVED, _lives)
_over = select(line.c.id).where(line.c.until < bindparam("before")).with_for_update(skip_locked=True)
_tidy = delete(line).where(line.c.id.in_(_over))
_take_over = (
    update(line)
    .where(line.c.project == bindparam("of"), line.c.pool == bindparam("of_pool"), _lives)
    .values(request=bindparam("by"), until=bindparam("lasts_until"))
)
_enter = insert(line)
_go_on = (
    update(line)
    .where(line.c.request.in_(bindparam("some", expanding=True)), _lives)
    .values(until=bindparam("lasts_until"))
)
_leave = (
    delete(line)
    .where(line.c.request.in_(bindparam("some", expanding=True)))
    .returning(line.c.project, line.c.pool, line.c.until)
)
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
                there = tx.execute(_place_of, {"of": project, "now": now}).scalar_one_or_none()
                if there not in {None, request}:
                    return
            tx.execute(_tidy, {"before": now - KEPT})
            stands = {"of": project, "of_pool": pool, "by": request, "now": now, "lasts_until": now + LASTS}
            if tx.execute(_take_over, stands).rowcount == 0:
                places.end(tx, project)
                new = {"project": project, "pool": pool, "request": request, "until": now + LASTS}
                tx.execute(_enter, new)

    def look(
        self, pool: PoolName, requests: Mapping[RequestId, ProjectId], *, ready_since: datetime
    ) -> Standing:
        """See Line.look."""
        with self._transactions.looking() as tx:
            now = self._transactions.time(tx)
            living = tx.execute(_living, {"pool": pool, "now": now}).all()
            supply = places.supply(tx, pool, ready_since)
            holding = set(tx.execute(_holding, {"some": sorted(set(requests.values()))}).scalars())
            ahead = {row.request: before for before, row in enumerate(living) if row.request in requests}
            placeless = {request: of for request, of in requests.items() if request not in ahead}
            lost = {"some": sorted(placeless.values()), "asked": sorted(placeless), "now": now}
            elsewhere = set(tx.execute(_taken_over, lost).scalars()) if placeless else set()
        due = [row.request for row in living if row.request in ahead and row.until - now <= LASTS - SAY_AGAIN]
        if due:
            self._go_on(sorted(due))
        return Standing(
            ready=supply.ready,
            doubtful=supply.doubtful,
            ahead=ahead,
            replaced={request for request, project in placeless.items() if project in elsewhere},
            served={request for request, project in requests.items() if project in holding},
        )

    def leave(self, requests: Collection[RequestId], *, demand: bool) -> None:
        """See Line.leave."""
        with self._transactions.exclusively() as tx:
            left = tx.execute(_leave, {"some": sorted(requests)}).all()
            if left and not demand:
                now = self._transactions.time(tx)
                stood = sorted(row.project for row in left if row.pool != SERVED and row.until > now)
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
            standing = tx.execute(_count_living, {"pool": pool, "now": now}).scalar_one()
            ready = places.supply(tx, pool, ready_since).ready
            booting = tx.execute(_on_their_way, {"pool": pool}).all()
            more = tx.execute(_unhindered, {"pool": pool}).scalar_one_or_none()
            measured = launches.measured(tx, pool)
        return Prospect(
            ahead=max(0, standing - ready),
            booting=[max(timedelta(), now - (row.launched_at or row.state_since)) for row in booting],
            measured=measured,
            more=bool(more),
        )

    def _go_on(self, requests: Collection[RequestId]) -> None:
        with self._transactions.exclusively() as tx:
            now = self._transactions.time(tx)
            tx.execute(_go_on, {"some": requests, "now": now, "lasts_until": now + LASTS})

    def _queue(self, tx: Connection, project: ProjectId) -> None:
        """See SqlRegistry: what concerns one project happens one after the other."""
        if self._transactions.lock_rows:
            tx.execute(statements.queue_project, {"project": project})
