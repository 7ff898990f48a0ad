"""Messages to the webhook, written in the transaction of what they tell of: both are there, or neither."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select

from app.api import webhooks
from app.domain.events import Event
from app.domain.messages import OF_EVENT, MessageKind
from app.domain.model import DEFAULT_POOL, EndReason, Limit, PoolName, url_of
from app.domain.verdict import REMEDIES
from app.registry.schema import allocations, instances, outbox

if TYPE_CHECKING:
    from collections.abc import Callable

TELLS = "tells"
"""Execution option: what says what time it is for all replicas; None where there is nobody to tell."""

_add = insert(outbox)
_told_of = (
    select(allocations, instances.c.state, instances.c.address, instances.c.port)
    .join(instances, instances.c.id == allocations.c.instance_id)
    .where(allocations.c.instance_id == bindparam("of"))
)
"""The one allocation that an instance has in its life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """An end that comes by itself."""

    at: datetime
    why: EndReason


def are_wanted(tx: Connection) -> bool:
    """Whether there is somebody to tell."""
    return tx.get_execution_options().get(TELLS) is not None


def write(tx: Connection, event: Event, ahead: Ahead | None) -> None:
    """Write the message that tells of an event of the audit trail, where there is one, and somebody to tell.

    `ahead`: what an ALLOCATION_EXPIRING announces; left out, it is the allocation's time limit.
    """
    kind = OF_EVENT.get(event.kind)
    clock: Callable[[Connection], datetime] | None = tx.get_execution_options().get(TELLS)
    if kind is None or clock is None:
        return
    told = _pool(kind, event) if event.instance is None else _allocation(tx, kind, event, ahead)
    _put(tx, kind, event.pool, told, at=event.at, now=clock(tx))


def write_test(tx: Connection, actor: str, now: datetime) -> str:
    """Write a message that tells nothing but that messages arrive; returns its id."""
    told = webhooks.WebhookTest(timestamp=now, data=webhooks.TestTold(actor=actor))
    return _put(tx, MessageKind.WEBHOOK_TEST, DEFAULT_POOL, told, at=now, now=now)


def _put(
    tx: Connection, kind: MessageKind, pool: PoolName, told: webhooks.Told, *, at: datetime, now: datetime
) -> str:
    message = f"msg_{uuid4().hex}"
    values = {
        "message": message,
        "kind": kind.value,
        "pool": pool,
        "at": at,
        "body": told.model_dump_json(by_alias=True),
        "attempts": 0,
        "begun_at": now,
        "due_at": now,
    }
    tx.execute(_add, values)
    return message


def _allocation(tx: Connection, kind: MessageKind, event: Event, ahead: Ahead | None) -> webhooks.Told:
    row = tx.execute(_told_of, {"of": event.instance}).one()
    data = {
        "project": row.project,
        "pool": row.pool,
        "instance": row.instance_id,
        "address": row.address,
        "url": url_of(row.address, row.port),
        "state": row.state,
        "allocated_at": row.allocated_at,
        "expires_at": row.expires_at,
        "confirm_by": row.confirm_by,
        "last_activity_at": row.last_activity_at,
        "reason": event.reason,
        "actor": event.actor,
        "event": event.id,
    }
    match kind:
        case MessageKind.ALLOCATION_CREATED:
            return webhooks.AllocationCreated(timestamp=event.at, data=webhooks.AllocationTold(**data))
        case MessageKind.ALLOCATION_RELEASED:
            return webhooks.AllocationReleased(timestamp=event.at, data=webhooks.AllocationTold(**data))
        case MessageKind.ALLOCATION_LOST:
            return webhooks.AllocationLost(timestamp=event.at, data=webhooks.AllocationTold(**data))
        case _:
            ends = ahead or Ahead(at=row.expires_at, why=EndReason.EXPIRED)
            expiring = {**data, "reason": ends.why.value, "ends_at": ends.at}
            return webhooks.AllocationExpiring(timestamp=event.at, data=webhooks.ExpiringTold(**expiring))


def _pool(kind: MessageKind, event: Event) -> webhooks.Told:
    word = event.reason or ""
    detail = REMEDIES[Limit(word)] if word in set(Limit) else None
    data = webhooks.PoolTold(pool=event.pool, limited_by=word, detail=detail, event=event.id)
    if kind is MessageKind.POOL_LIMITED:
        return webhooks.PoolLimited(timestamp=event.at, data=data)
    return webhooks.PoolRecovered(timestamp=event.at, data=data)
