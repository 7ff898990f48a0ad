"""The registry of the version before, in the very statements that it sends: it knows no line and no terms."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, text

QUEUE = "SELECT pg_advisory_xact_lock(hashtextextended(:project, 0))"
HELD_BY = """
    SELECT allocations.project, allocations.pool, allocations.instance_id, allocations.allocated_at,
        allocations.expires_at, instances.address, instances.port
    FROM allocations JOIN instances ON instances.id = allocations.instance_id
    WHERE allocations.ended_at IS NULL AND allocations.project = :project"""
_IDLE = """
    SELECT instances.id FROM instances
    WHERE instances.pool = :of_pool AND instances.state = 'idle' AND instances.held_at IS NULL
        AND instances.ready_at >= :ready_since"""
_TAKE = (
    """
    UPDATE instances SET state = 'allocated', state_since = :now
    WHERE instances.id = ("""
    + _IDLE
    + """ ORDER BY instances.state_since, instances.id LIMIT 1 FOR UPDATE"""
)
TAKE = _TAKE + " SKIP LOCKED) RETURNING instances.id, instances.address, instances.port"
WAIT_AND_TAKE = _TAKE + ") RETURNING instances.id, instances.address, instances.port"
ANY_IDLE = f"SELECT EXISTS ({_IDLE})"
ADD_ALLOCATION = """
    INSERT INTO allocations (project, pool, instance_id, allocated_at, tagged, expires_at)
    VALUES (:project, :of_pool, :instance, :now, false, :expires_at)"""
ADD_EVENT = """
    INSERT INTO events (at, kind, pool, actor, instance_id, project, reason)
    VALUES (:now, :kind, :of_pool, 'old', :instance, :project, :reason)"""
WAIT_ON = """
    UPDATE waiting SET until = :until
    WHERE waiting.project = :project AND waiting.pool = :of_pool AND waiting.until > :now"""
FORGET_WAITING = "DELETE FROM waiting WHERE waiting.project = :project OR waiting.until <= :now"
WAIT = "INSERT INTO waiting (project, pool, until) VALUES (:project, :of_pool, :until)"
LOCK = "SELECT instances.id FROM instances WHERE instances.id = :instance FOR UPDATE"
MOVE = """
    UPDATE instances SET state = :state, state_since = :now, end_reason = :reason
    WHERE instances.id = :instance AND instances.state = :expect RETURNING instances.pool"""
END_ALLOCATION = """
    UPDATE allocations SET ended_at = :now, end_reason = :reason
    WHERE allocations.instance_id = :instance AND allocations.ended_at IS NULL
    RETURNING allocations.project"""
STOP_WAITING = "DELETE FROM waiting WHERE waiting.project = :project"
RENEW = """
    UPDATE allocations SET expires_at = :expires_at
    WHERE allocations.instance_id = :instance AND allocations.ended_at IS NULL"""
PAUSED = "SELECT pools.paused_at IS NOT NULL FROM pools WHERE pools.name = :of_pool FOR SHARE"
ADD_INSTANCE = """
    INSERT INTO instances (id, pool, state, state_since, zone, launched_at, template)
    VALUES (:instance, :of_pool, 'booting', :now, 'eu-west-1a', :now, NULL)"""
OFFER = """
    UPDATE instances
    SET state = 'idle', state_since = :now, address = '10.0.0.1', port = 8080, ready_at = :now
    WHERE instances.id = :instance AND instances.state = 'booting' AND instances.held_at IS NULL
    RETURNING instances.pool"""
NOTE_VIEW = """
    UPDATE pools SET desired = :desired, min_size = 0, max_size = 100, limited_by = NULL, notices = '[]',
        last_pass_at = :now, last_attempt_at = :now, group_arn = NULL WHERE pools.name = :of_pool"""
ADD_POOL = "INSERT INTO pools (name, notices) VALUES (:of_pool, '[]')"


@dataclass(frozen=True, kw_only=True)
class OldRegistry:
    """Claims, renews, releases and offers as schema 0005 has it, on PostgreSQL."""

    engine: Engine
    pool: str = "default"

    def add_pool(self) -> None:
        with self._transaction() as tx:
            self._do(tx, ADD_POOL)

    def offer(self, instance: str, *, now: datetime) -> None:
        """Discover an instance, and find it ready."""
        with self._transaction() as tx:
            self._do(tx, ADD_INSTANCE, instance=instance, now=now)
            self._tell(tx, "instance.discovered", instance=instance, now=now)
            self._do(tx, OFFER, instance=instance, now=now)
            self._tell(tx, "instance.idle", instance=instance, now=now)

    def claim(self, project: str, *, now: datetime, ttl: timedelta | None = None) -> str | None:
        """The instance of the project; None where nothing is idle, and it waits then."""
        with self._transaction() as tx:
            self._do(tx, QUEUE, project=project)
            held = self._do(tx, HELD_BY, project=project).one_or_none()
            if held is not None:
                return str(held.instance_id)
            wanted = {"now": now, "ready_since": now - timedelta(seconds=45)}
            taken = self._do(tx, TAKE, **wanted).one_or_none()
            if taken is None and self._do(tx, ANY_IDLE, **wanted).scalar_one():
                taken = self._do(tx, WAIT_AND_TAKE, **wanted).one_or_none()
            if taken is None:
                self._wait(tx, project, now)
                return None
            made: dict[str, Any] = {"project": project, "instance": taken.id, "now": now}
            self._do(tx, ADD_ALLOCATION, expires_at=None if ttl is None else now + ttl, **made)
            self._tell(tx, "allocation.created", **made)
            return str(taken.id)

    def renew(self, project: str, ttl: timedelta, *, now: datetime) -> bool:
        with self._transaction() as tx:
            self._do(tx, QUEUE, project=project)
            held = self._do(tx, HELD_BY, project=project).one_or_none()
            if held is None:
                return False
            self._do(tx, LOCK, instance=held.instance_id)
            self._do(tx, RENEW, instance=held.instance_id, expires_at=now + ttl)
            self._tell(tx, "allocation.renewed", instance=held.instance_id, project=project, now=now)
            return True

    def release(self, project: str, *, now: datetime) -> bool:
        with self._transaction() as tx:
            self._do(tx, QUEUE, project=project)
            held = self._do(tx, HELD_BY, project=project).one_or_none()
            return held is not None and self._end(tx, held.instance_id, "released", now)

    def expire(self, instance: str, *, now: datetime) -> bool:
        """End an allocation whose time is over, as a leader of this version does."""
        with self._transaction() as tx:
            self._do(tx, LOCK, instance=instance)
            paused = self._do(tx, PAUSED).scalar_one_or_none()
            return not paused and self._end(tx, instance, "expired", now)

    def note_view(self, *, desired: int, now: datetime) -> None:
        with self._transaction() as tx:
            self._do(tx, NOTE_VIEW, desired=desired, now=now)

    def _end(self, tx: Connection, instance: str, reason: str, now: datetime) -> bool:
        moved = self._do(
            tx, MOVE, instance=instance, expect="allocated", state="terminating", reason=reason, now=now
        ).one_or_none()
        if moved is None:
            return False
        ended = self._do(tx, END_ALLOCATION, instance=instance, reason=reason, now=now)
        project = ended.scalar_one_or_none()
        if project is not None:
            self._do(tx, STOP_WAITING, project=project)
        told: dict[str, Any] = {"instance": instance, "project": project, "reason": reason, "now": now}
        self._tell(tx, "allocation.ended", **told)
        self._tell(tx, "instance.terminating", **told)
        return True

    def _wait(self, tx: Connection, project: str, now: datetime) -> None:
        waits = {"project": project, "now": now, "until": now + timedelta(seconds=30)}
        if self._do(tx, WAIT_ON, **waits).rowcount == 0:
            self._do(tx, FORGET_WAITING, project=project, now=now)
            self._do(tx, WAIT, **waits)
            self._tell(tx, "allocation.unmet", project=project, now=now)

    def _tell(
        self,
        tx: Connection,
        kind: str,
        *,
        now: datetime,
        instance: str | None = None,
        project: str | None = None,
        reason: str | None = None,
    ) -> None:
        self._do(tx, ADD_EVENT, kind=kind, instance=instance, project=project, reason=reason, now=now)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self.engine.begin() as tx:
            yield tx

    def _do(self, tx: Connection, statement: str, **values: object) -> Any:
        given = {"of_pool": self.pool, **values}
        named = {name: value for name, value in given.items() if f":{name}" in statement}
        return tx.execute(text(statement), named)
