"""What the domain has, in the words of the wire."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TypeVar

from flask import Response
from pydantic import BaseModel
from pydantic_core import to_json

from app.api import seed, v1
from app.api.base import Page
from app.domain import model
from app.domain.events import Event
from app.domain.model import InstanceState
from app.ports import Listed
from app.ports import Page as Found
from app.service.status import Duty, PoolStatus, Status
from app.web import cursors

Item = TypeVar("Item")


def answer(body: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Make the answer that has this body."""
    text = body.model_dump_json(by_alias=True) + "\n"
    return Response(text, status=status, headers=headers, mimetype="application/json")


def page(
    of: str, found: Found[Item], key: Callable[[Item], object], show: Callable[[Item], object]
) -> Response:
    """Make the answer that has a part of the list `of`, and leads to the next."""
    after = cursors.written(of, key(found.items[-1])) if found.more else None
    return answer(Page[object](items=[show(item) for item in found.items], next=after))


# v1


def allocation(held: model.Allocation) -> v1.Allocation:
    """Show an allocation."""
    return v1.Allocation(
        project=held.project,
        pool=held.pool,
        instance=held.instance,
        address=held.address,
        url=held.url,
        state=held.state.value,
        allocated_at=held.allocated_at,
        expires_at=held.expires_at,
        confirm_by=held.confirm_by,
        last_activity_at=held.last_activity_at,
    )


def instance(one: model.Instance) -> v1.Instance:
    """Show an instance."""
    return v1.Instance(
        id=one.id,
        pool=one.pool,
        state=one.state.value,
        state_since=one.state_since,
        address=one.address,
        port=one.port,
        url=_url(one),
        zone=one.zone,
        project=one.project,
        allocated_at=one.allocated_at,
        expires_at=one.expires_at,
        confirm_by=one.confirm_by,
        last_activity_at=one.last_activity_at,
        launched_at=one.launched_at,
        ready_at=one.ready_at,
        end_reason=one.end_reason and one.end_reason.value,
        hold=one.hold
        and v1.Hold(since=one.hold.since, by=one.hold.by, until=one.hold.until, reason=one.hold.reason),
    )


def pool(one: PoolStatus) -> v1.Pool:
    """Show a pool."""
    config, controls, view = one.config, one.controls, one.view
    return v1.Pool(
        name=config.name,
        group=config.group,
        region=config.region,
        buffer=one.buffer,
        configured_buffer=config.buffer,
        paused=controls.paused,
        paused_at=controls.paused_at,
        paused_by=controls.paused_by,
        address=config.address,
        port=config.port,
        readiness=config.readiness,
        default_ttl=_seconds(config.terms.default_ttl),
        max_ttl=_seconds(config.terms.max_ttl),
        confirm_within=_seconds(config.terms.confirm_within),
        idle_timeout=_seconds(config.terms.idle_timeout),
        instances=v1.Counts(
            booting=one.count.of(InstanceState.BOOTING),
            idle=one.count.of(InstanceState.IDLE),
            allocated=one.count.of(InstanceState.ALLOCATED),
            terminating=one.count.of(InstanceState.TERMINATING),
            held=one.count.held,
        ),
        waiting=one.waiting,
        launch_seconds=_seconds(one.launch_time),
        desired_capacity=view.group.desired,
        min_size=view.group.min_size,
        max_size=view.group.max_size,
        limited_by=view.limited_by and view.limited_by.value,
        last_pass_at=view.last_pass_at,
        warnings=_warnings(view),
    )


def event(line: Event) -> v1.Event:
    """Show a line of the audit trail."""
    return v1.Event(
        id=line.id,
        at=line.at,
        kind=str(line.kind),
        pool=line.pool,
        actor=line.actor,
        instance=line.instance,
        project=line.project,
        reason=line.reason,
    )


# the seed's endpoints


def seed_allocation(held: model.Allocation) -> seed.SeedAllocation:
    """Show what GET /<projectId> answers."""
    return seed.SeedAllocation(
        ip=held.address, project_id=held.project, machine_id=held.instance, url=held.url
    )


def destroyed(ending: model.Instance) -> seed.Destroyed:
    """Show what POST /destroy answers."""
    return seed.Destroyed(machine_id=ending.id, project_id=ending.project, state=ending.state.value)


def status(now: Status) -> Iterator[bytes]:
    """Write what GET /status answers, a seed.Status, in pieces: its machines may be ten thousand."""
    figures = seed.Status(
        **_figures(now.default),
        last_pass_age_seconds=pass_age(now.duty),
        replica=now.duty.replica,
        leader=leader(now.duty),
        pools=[seed.PoolFigures(**_figures(one)) for one in now.pools],
        machines=[],
    )
    yield figures.model_dump_json(by_alias=True).encode().removesuffix(b"]}")
    comma = b""
    for part in now.parts:
        yield comma + to_json([_machine(one) for one in part])[1:-1]
        comma = b","
    yield b"]}\n"


def pass_age(duty: Duty) -> float | None:
    """Tell the seconds since the last good pass."""
    return None if duty.pass_age is None else round(duty.pass_age.total_seconds(), 1)


def leader(duty: Duty) -> seed.Leader | None:
    """Show who leads."""
    lease = duty.leader
    if lease is None:
        return None
    return seed.Leader(replica=lease.holder, term=lease.term, since=lease.since)


def _figures(one: PoolStatus) -> dict[str, object]:
    idle, used = one.count.of(InstanceState.IDLE), one.count.of(InstanceState.ALLOCATED)
    view = one.view
    return {
        "name": one.config.name,
        "total_machines": idle + used,
        "idle_machines": idle,
        "used_machines": used,
        "booting_machines": one.count.of(InstanceState.BOOTING),
        "terminating_machines": one.count.of(InstanceState.TERMINATING),
        "held_machines": one.count.held,
        "waiting_projects": one.waiting,
        "buffer": one.buffer,
        "paused": one.controls.paused,
        "desired_capacity": view.group.desired,
        "min_size": view.group.min_size,
        "max_size": view.group.max_size,
        "limited_by": view.limited_by and view.limited_by.value,
        "last_pass_at": view.last_pass_at,
        "warnings": _warnings(view),
    }


def _machine(one: Listed) -> dict[str, object]:
    """Write a seed.Machine. To make the model itself, of ten thousand, would take half of the time."""
    used = one.state == InstanceState.ALLOCATED
    return {
        "machineId": one.id,
        "ip": one.address,
        "state": one.state,
        "isUsed": used,
        "assignedProject": one.project if used else None,
        "url": _url(one),
        "zone": one.zone,
        "launchedAt": one.launched_at,
        "stateSince": one.state_since,
        "readyAt": None if used else one.ready_at,
        "allocatedAt": one.allocated_at if used else None,
        "expiresAt": one.expires_at if used else None,
        "lastActivityAt": one.last_activity_at if used else None,
        "held": one.held,
    }


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 1)


def _url(one: model.Instance | Listed) -> str | None:
    return None if one.address is None or one.port is None else model.url_of(one.address, one.port)


def _warnings(view: model.PoolView) -> list[v1.Notice]:
    return [v1.Notice(code=notice.code, detail=notice.detail) for notice in view.notices]
