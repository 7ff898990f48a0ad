"""The registry's critical sections: each method is one transaction, in database words only."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select

from app.domain.events import Event, EventKind
from app.domain.model import (
    NOT_TERMINATED,
    Allocation,
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    PoolName,
    PoolView,
    ProjectId,
    SeenInstance,
)
from app.domain.setbacks import BootFailures
from app.domain.sight import Sight
from app.domain.telling import Told, follow
from app.domain.terms import UNLIMITED, Terms, TermsPolicy
from app.ports import Claimed, RequestId
from app.registry import batches, claims, endings, holds, limits, rows, statements, steps
from app.registry.batches import Batches
from app.registry.claims import Claim
from app.registry.errors import Conflict
from app.registry.group_commit import GroupCommit
from app.registry.last_read import LastRead
from app.registry.steps import POLLER
from app.registry.transactions import Transactions

CHUNK = 500
"""How many ids a statement names; a database may limit its parameters."""


class SqlRegistry:
    """The Registry port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._exclusively, self._looking = transactions.exclusively, transactions.looking
        self._locks_rows = transactions.lock_rows
        self._last_read: dict[PoolName, LastRead] = {}
        self._batches = GroupCommit(Batches(transactions).settle, most=batches.MOST)

    def close(self) -> None:
        """Close every connection."""
        self._transactions.close()

    # Claims and releases

    def claim(
        self,
        pool: PoolName,
        project: ProjectId,
        *,
        actor: str,
        now: datetime,
        ready_since: datetime | None = None,
        last_try: bool = True,
        terms: Terms = UNLIMITED,
        request: RequestId | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Claimed:
        """See Registry.claim."""
        claim = Claim(
            pool=pool,
            project=project,
            actor=actor,
            now=now,
            ready_since=ready_since,
            last_try=last_try,
            terms=terms,
            request=request,
            wanted=wanted,
        )
        settled = self._batches.ask(claim) if batches.is_plain(claim) else None
        return settled or claims.answer(self._transactions, claim)

    def destroy(
        self, instance: InstanceId, *, expect: Sight | None = None, actor: str, now: datetime
    ) -> Instance:
        """See Registry.destroy."""
        with self._exclusively() as tx:
            return endings.destroy(tx, instance, expect=expect, actor=actor, now=now)

    def release(
        self, project: ProjectId, *, expect: Sight | None = None, actor: str, now: datetime
    ) -> Allocation:
        """See Registry.release."""
        with self._exclusively() as tx:
            self._queue(tx, project)
            return endings.release(tx, project, expect=expect, actor=actor, now=now)

    def renew(
        self,
        project: ProjectId,
        ttl: timedelta | None,
        *,
        policies: Mapping[PoolName, TermsPolicy],
        only: InstanceId | None = None,
        expect: Sight | None = None,
        actor: str,
        now: datetime,
    ) -> Allocation:
        """See Registry.renew."""
        with self._exclusively() as tx:
            self._queue(tx, project)
            clock = partial(self._transactions.time, tx)
            return limits.renew(
                tx,
                project,
                ttl,
                policies=policies,
                only=only,
                expect=expect,
                actor=actor,
                now=now,
                clock=clock,
            )

    def confirm(
        self, project: ProjectId, *, only: InstanceId | None = None, actor: str, now: datetime
    ) -> Allocation:
        """See Registry.confirm."""
        with self._exclusively() as tx:
            self._queue(tx, project)
            return limits.confirm(tx, project, only=only, actor=actor, now=now)

    def _queue(self, tx: Connection, project: ProjectId) -> None:
        """Have what concerns one project happen one after the other, also before it holds a row to lock.

        Its claims: the loser of their race would otherwise hold a second instance for a moment, and the pool
        could look exhausted to a third claim. And a batch of claims waits for no project: see batches.py.
        """
        if self._locks_rows:
            tx.execute(statements.queue_project, {"project": project})

    # Holds

    def hold(
        self,
        instance: InstanceId,
        *,
        ttl: timedelta | None = None,
        reason: str | None = None,
        actor: str,
        now: datetime,
    ) -> Instance:
        """See Registry.hold."""
        with self._exclusively() as tx:
            clock = partial(self._transactions.time, tx)
            return holds.hold(tx, instance, ttl=ttl, reason=reason, actor=actor, now=now, clock=clock)

    def unhold(
        self, instance: InstanceId, *, expect: Sight | None = None, actor: str, now: datetime
    ) -> Instance:
        """See Registry.unhold."""
        with self._exclusively() as tx:
            return holds.unhold(tx, instance, expect=expect, actor=actor, now=now)

    # What a pass learns and decides

    def instances(
        self, pool: PoolName, states: Collection[InstanceState] = NOT_TERMINATED
    ) -> Mapping[InstanceId, Instance]:
        """See Registry.instances."""
        wanted = {"pool": pool, "states": [state.value for state in states]}
        with self._looking() as tx:
            if states != NOT_TERMINATED:
                found = tx.execute(statements.instances_in, wanted)
                return {row.id: rows.instance(row) for row in found}
            last_read = self._last_read.get(pool)
            if last_read is None:
                last_read = self._last_read[pool] = LastRead(statements.instances_in, tx.dialect)
            return last_read.instances(tx, wanted)

    def terminated(self, some: Collection[InstanceId]) -> Mapping[InstanceId, Instance]:
        """See Registry.terminated."""
        return self._named(statements.terminated_instances, some)

    def these(self, some: Collection[InstanceId]) -> Mapping[InstanceId, Instance]:
        """See Registry.these."""
        return self._named(statements.named_instances, some)

    def _named(self, statement: Select[Any], some: Collection[InstanceId]) -> Mapping[InstanceId, Instance]:
        if not some:
            return {}
        ids, found = sorted(some), {}
        with self._looking() as tx:
            for start in range(0, len(ids), CHUNK):
                chunk = tx.execute(statement, {"some": ids[start : start + CHUNK]})
                found.update({row.id: rows.instance(row) for row in chunk})
        return found

    def waiting(self, pool: PoolName, *, now: datetime) -> int:
        """See Registry.waiting."""
        with self._looking() as tx:
            return tx.execute(statements.count_waiting, {"pool": pool, "now": now}).scalar_one()

    def discover(self, pool: PoolName, seen: SeenInstance, *, now: datetime) -> bool:
        """See Registry.discover."""
        try:
            with self._exclusively() as tx:
                steps.add_instance(tx, pool, seen, now)
        except Conflict:
            return False
        return True

    def adopt(
        self,
        pool: PoolName,
        seen: SeenInstance,
        project: ProjectId | None,
        *,
        port: int,
        since: datetime,
        now: datetime,
    ) -> bool:
        """See Registry.adopt."""
        if seen.address is None:
            return False
        try:
            with self._exclusively() as tx:
                if project is not None:
                    self._queue(tx, project)
                return steps.adopt(tx, pool, seen, project, port=port, since=since, now=now)
        except Conflict:  # the project holds another one by now
            return False

    def mark_idle(self, instance: InstanceId, address: str, port: int, *, now: datetime) -> bool:
        """See Registry.mark_idle."""
        with self._exclusively() as tx:
            before = steps.one(tx, instance)
            offer = {"address": address, "port": port, "ready_at": now}
            booting, idle = InstanceState.BOOTING, InstanceState.IDLE
            pool = steps.move(tx, instance, booting, idle, now, unless_held=True, **offer)
            if pool is not None:
                if before is not None and before.address is None:  # one that came back proves nothing new
                    steps.boot_succeeded(tx, before, now, clock=partial(self._transactions.time, tx))
                steps.record(tx, EventKind.INSTANCE_IDLE, pool, POLLER, now, instance=instance)
        return pool is not None

    def withdraw(self, instance: InstanceId, *, reason: str, now: datetime) -> bool:
        """See Registry.withdraw."""
        with self._exclusively() as tx:
            pool = steps.move(tx, instance, InstanceState.IDLE, InstanceState.BOOTING, now, ready_at=None)
            if pool is not None:
                kind = EventKind.INSTANCE_WITHDRAWN
                steps.record(tx, kind, pool, POLLER, now, instance=instance, reason=reason)
        return pool is not None

    def note_probes(
        self, ready: Collection[InstanceId], silent: Collection[InstanceId], *, now: datetime
    ) -> None:
        """See Registry.note_probes."""
        with self._exclusively() as tx:
            asked = sorted({*ready, *silent})
            for start in range(0, len(asked), CHUNK):
                locked = tx.execute(statements.lock_idle, {"some": asked[start : start + CHUNK]}).scalars()
                still_idle = set(locked)
                for found_at, some in ((now, still_idle & set(ready)), (None, still_idle & set(silent))):
                    tx.execute(statements.note_ready, {"some": sorted(some), "found_at": found_at})

    def mark_in_service(self, instance: InstanceId, since: datetime | None) -> None:
        """See Registry.mark_in_service."""
        with self._exclusively() as tx:
            tx.execute(statements.note, {"instance": instance, "in_service_since": since})

    def mark_missing(self, instance: InstanceId, since: datetime | None) -> None:
        """See Registry.mark_missing."""
        with self._exclusively() as tx:
            tx.execute(statements.note, {"instance": instance, "missing_since": since})

    def end(
        self,
        instance: InstanceId,
        *,
        expect: InstanceState,
        to: InstanceState,
        reason: EndReason,
        now: datetime,
    ) -> bool:
        """See Registry.end."""
        with self._exclusively() as tx:
            before = steps.one(tx, instance)
            ours = to is InstanceState.TERMINATING and reason.ours
            if ours and before is not None and steps.is_paused(tx, before.pool):
                return False
            pool = steps.end(tx, instance, (expect, to), reason, actor=POLLER, now=now, unless_held=ours)
            if pool is not None and before is not None and _did_not_get_ready(before, reason):
                steps.boot_failed(tx, before, now)
        return pool is not None

    def boot_failures(self, pool: PoolName) -> list[BootFailures]:
        """See Registry.boot_failures."""
        with self._looking() as tx:
            return [rows.boot_failures(row) for row in tx.execute(statements.failures_in, {"of_pool": pool})]

    def note_terminate_call(self, instance: InstanceId, at: datetime) -> bool:
        """See Registry.note_terminate_call."""
        with self._exclusively() as tx:
            noted = tx.execute(statements.note_terminate_call, {"instance": instance, "called_at": at})
            return noted.rowcount > 0

    def forget_terminate_call(self, instance: InstanceId, at: datetime) -> None:
        """See Registry.forget_terminate_call."""
        with self._exclusively() as tx:
            tx.execute(statements.forget_terminate_call, {"instance": instance, "called_at": at})

    def mark_tagged(self, instance: InstanceId, project: ProjectId) -> None:
        """See Registry.mark_tagged."""
        with self._exclusively() as tx:
            tx.execute(statements.mark_tagged, {"instance": instance, "for_project": project})

    # What everybody may read

    def record(
        self,
        kind: EventKind,
        pool: PoolName,
        *,
        reason: str,
        now: datetime,
        instance: InstanceId | None = None,
    ) -> None:
        """See Registry.record."""
        with self._exclusively() as tx:
            steps.record(tx, kind, pool, POLLER, now, instance=instance, reason=reason)

    def record_view(self, view: PoolView) -> None:
        """See Registry.record_view."""
        values = rows.pool_values(view)

        def once() -> None:
            with self._exclusively() as tx:
                row = tx.execute(statements.lock_told, {"pool": view.pool}).one_or_none()
                before = Told() if row is None else rows.told(row)
                told, news = before, None
                if view.limited_by != before.limited_by or before.since is not None:
                    told, news = follow(before, view.limited_by, self._transactions.time(tx))
                columns = {**values, **rows.told_values(told)}
                if tx.execute(statements.replace_pool, {"pool": view.pool, **columns}).rowcount == 0:
                    tx.execute(statements.add_pool, {"name": view.pool, **columns})
                if news is not None:
                    now = view.last_attempt_at or self._transactions.time(tx)
                    steps.record(tx, news.kind, view.pool, POLLER, now, reason=news.limited_by)

        _again(once)

    def view(self, pool: PoolName) -> PoolView:
        """See Registry.view."""
        with self._looking() as tx:
            row = tx.execute(statements.one_pool, {"pool": pool}).one_or_none()
        return PoolView(pool=pool) if row is None else rows.pool_view(row)

    def events(self, *, limit: int) -> list[Event]:
        """See Registry.events."""
        with self._looking() as tx:
            return [rows.event(row) for row in tx.execute(statements.newest_events, {"count": limit})]


def _did_not_get_ready(instance: Instance, reason: EndReason) -> bool:
    """Whether it ended, by us or by itself, without having been ready once, or because it was no longer."""
    if instance.state is not InstanceState.BOOTING:
        return False
    died = reason is EndReason.LEFT and instance.in_service_since is not None and instance.address is None
    return reason.unready or died


def _again(once: Callable[[], None]) -> None:
    """Do it once more where somebody else put the pool's row there at the same time: it is there now."""
    try:
        once()
    except Conflict:
        once()
