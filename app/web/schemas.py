"""What comes in and what goes out, as the contract writes it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from app.domain.errors import InvalidBody
from app.domain.model import Allocation, Instance, InstanceState, url_of
from app.service.status import Duty, Status


class DestroyRequest(BaseModel):
    """The body of POST /destroy."""

    machine_id: str = Field(alias="machineId", strict=True)


def destroy_request(body: bytes) -> DestroyRequest:
    """Read the body of POST /destroy, or raise InvalidBody, which says what is wrong with it."""
    try:
        return DestroyRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidBody(f"{where}: {first['msg']}" if where else first["msg"]) from None


def allocation(held: Allocation) -> dict[str, str]:
    """Render the answer to GET /<projectId>."""
    return {
        "ip": held.address,
        "projectId": held.project,
        "machineId": held.instance,
        "url": held.url,
    }


def destroyed(ending: Instance) -> dict[str, str | None]:
    """Render the answer to POST /destroy."""
    return {"machineId": ending.id, "projectId": ending.project, "state": ending.state.value}


def status(now: Status) -> dict[str, Any]:
    """Render the answer to GET /status."""
    idle, used = now.count(InstanceState.IDLE), now.count(InstanceState.ALLOCATED)
    view = now.view
    return {
        "totalMachines": idle + used,
        "idleMachines": idle,
        "usedMachines": used,
        "bootingMachines": now.count(InstanceState.BOOTING),
        "terminatingMachines": now.count(InstanceState.TERMINATING),
        "buffer": now.buffer,
        "desiredCapacity": view.group.desired,
        "minSize": view.group.min_size,
        "maxSize": view.group.max_size,
        "limitedBy": view.limited_by.value if view.limited_by else None,
        "lastPassAt": _time(view.last_pass_at),
        **duty(now.duty),
        "warnings": [{"code": notice.code, "detail": notice.detail} for notice in view.notices],
        "machines": [_machine(instance) for instance in now.instances],
    }


def duty(now: Duty) -> dict[str, Any]:
    """Render who leads, as /status and /readyz both tell it."""
    leader, age = now.leader, now.pass_age
    return {
        "lastPassAgeSeconds": None if age is None else round(age.total_seconds(), 1),
        "replica": now.replica,
        "leader": leader and {"replica": leader.holder, "term": leader.term, "since": _time(leader.since)},
    }


def _machine(instance: Instance) -> dict[str, Any]:
    used = instance.state is InstanceState.ALLOCATED
    reachable = instance.address is not None and instance.port is not None
    return {
        "machineId": instance.id,
        "ip": instance.address,
        "state": instance.state.value,
        "isUsed": used,
        "assignedProject": instance.project if used else None,
        "url": url_of(instance.address or "", instance.port or 0) if reachable else None,
        "zone": instance.zone,
        "launchedAt": _time(instance.launched_at),
        "stateSince": _time(instance.state_since),
        "readyAt": None if used else _time(instance.ready_at),
        "allocatedAt": _time(instance.allocated_at) if used else None,
    }


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
