"""From rows to the domain's values."""

from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Row

from app.domain.controls import Controls
from app.domain.events import Event, EventKind
from app.domain.model import (
    Allocation,
    EndReason,
    Group,
    Hold,
    Instance,
    InstanceState,
    Limit,
    Notice,
    PoolName,
    PoolView,
)
from app.domain.setbacks import BootFailures
from app.domain.telling import Told

Word = TypeVar("Word", bound=StrEnum)


def word(words: type[Word], text: str) -> Word:
    """Read a word to which later versions may add: one that is unknown here stays as it is written.

    While one version of the service follows the other, both work with the same rows.
    """
    try:
        return words(text)
    except ValueError:
        unknown = str.__new__(words, text)
        unknown._name_ = unknown._value_ = text
        return unknown


def allocation(row: Row[*tuple[Any, ...]]) -> Allocation:
    """Read what `statements.held_by` selects."""
    return Allocation(
        project=row.project,
        pool=row.pool,
        instance=row.instance_id,
        address=row.address,
        port=row.port,
        allocated_at=row.allocated_at,
        expires_at=row.expires_at,
        confirm_by=row.confirm_by,
        last_activity_at=row.last_activity_at,
    )


def instance(row: Row[*tuple[Any, ...]]) -> Instance:
    """Read an instance together with its allocation, the live one or the ended."""
    return Instance(
        id=row.id,
        pool=row.pool,
        state=InstanceState(row.state),
        state_since=row.state_since,
        address=row.address,
        port=row.port,
        zone=row.zone,
        launched_at=row.launched_at,
        in_service_since=row.in_service_since,
        missing_since=row.missing_since,
        end_reason=word(EndReason, row.end_reason) if row.end_reason else None,
        terminate_called_at=row.terminate_called_at,
        ready_at=row.ready_at,
        template=row.template,
        project=row.project,
        allocated_at=row.allocated_at,
        expires_at=row.expires_at,
        confirm_by=row.confirm_by,
        last_activity_at=row.last_activity_at,
        tagged=bool(row.tagged),
        hold=_hold(row),
    )


def _hold(row: Row[*tuple[Any, ...]]) -> Hold | None:
    if row.held_at is None:
        return None
    return Hold(since=row.held_at, by=row.held_by, until=row.held_until, reason=row.hold_reason)


def event(row: Row[*tuple[Any, ...]]) -> Event:
    """Read one line of the audit trail."""
    return Event(
        id=row.id,
        at=row.at,
        kind=word(EventKind, row.kind),
        pool=row.pool,
        actor=row.actor,
        instance=row.instance_id,
        project=row.project,
        reason=row.reason,
    )


def boot_failures(row: Row[*tuple[Any, ...]]) -> BootFailures:
    """Read how many instances in a row, of one launch template version, did not become ready."""
    return BootFailures(
        count=row.failures,
        template=row.template or None,
        last=row.instance_id,
        last_at=row.failed_at,
    )


def pool_view(row: Row[*tuple[Any, ...]]) -> PoolView:
    """Read what the last passes learnt of a pool."""
    return PoolView(
        pool=PoolName(row.name),
        group=Group(desired=row.desired, min_size=row.min_size, max_size=row.max_size, arn=row.group_arn),
        limited_by=word(Limit, row.limited_by) if row.limited_by else None,
        notices=tuple(Notice(code=notice["code"], detail=notice["detail"]) for notice in row.notices),
        last_pass_at=row.last_pass_at,
        last_attempt_at=row.last_attempt_at,
    )


def told(row: Row[*tuple[Any, ...]]) -> Told:
    """Read what was told of a pool's limit."""
    limit = word(Limit, row.limited_told) if row.limited_told else None
    return Told(limited_by=limit, since=row.limited_since)


def told_values(told: Told) -> dict[str, object]:
    """Write it as column values, the reverse of `told`."""
    return {
        "limited_told": told.limited_by.value if told.limited_by else None,
        "limited_since": told.since,
    }


def controls(row: Row[*tuple[Any, ...]]) -> Controls:
    """Read what operators told a pool."""
    return Controls(
        pool=PoolName(row.name),
        buffer=row.buffer,
        paused_at=row.paused_at,
        paused_by=row.paused_by,
        version=row.controls_version,
    )


def pool_values(view: PoolView) -> dict[str, object]:
    """Write a view as column values, the reverse of `pool_view`; an ARN that could not be read stays."""
    identity = {} if view.group.arn is None else {"group_arn": view.group.arn}
    return {
        **identity,
        "desired": view.group.desired,
        "min_size": view.group.min_size,
        "max_size": view.group.max_size,
        "limited_by": view.limited_by.value if view.limited_by else None,
        "notices": [{"code": notice.code, "detail": notice.detail} for notice in view.notices],
        "last_pass_at": view.last_pass_at,
        "last_attempt_at": view.last_attempt_at,
    }
