"""The control API of the simulated cloud, under `/_cloud/`: JSON in, JSON out.

| request | body | does |
|---|---|---|
| `GET /_cloud/healthz` | | `{"status": "ok"}` while the cloud serves |
| `GET /_cloud/state` | | groups, instances (terminated ones too), capacity, mode of new workers |
| `PATCH /_cloud/group` | `{"min", "max", "desired", "protect", "suspended", …}` | changes the first group |
| `POST /_cloud/groups` | `{"name": "gpu-asg", "min", "max", "desired"}` | makes one more group (max 20) |
| `DELETE /_cloud/groups/<name>` | | deletes a group and its instances |
| `POST /_cloud/capacity` | `{"limit": 4, "kind": "quota"}` | at most so many live instances |
| `POST /_cloud/instances/<id>/terminate` | | terminates behind the group's back, as a spot reclaim does |
| `POST /_cloud/instances/<id>/stop` | | stops behind the group's back |
| `POST /_cloud/instances/<id>/unhealthy` | | marks the member Unhealthy, as a health check does |
| `POST /_cloud/instances/<id>/lose` | | lets the group forget the member, which runs on: a leak |
| `POST /_cloud/instances/<id>/worker` | `{"mode": "down"}` | changes one worker as it runs; `up` mends it |
| `POST /_cloud/workers` | `{"mode": ...}` | the mode of workers that start from now on |
| `GET`, `DELETE /_cloud/calls` | | the AWS calls from outside, oldest first; forgets them |
| `GET`, `POST`, `DELETE /_cloud/faults` | see `faults.Fault` | lists rules, adds one, lifts all |
| `DELETE /_cloud/faults/<id>` | | lifts one rule |
| `POST /_cloud/reset` | | back to the start configuration: all instances, calls, faults and limits gone |

A group also has `boot_seconds` and `terminate_seconds`; `suspended` lists process names.
Limit: null = none; kinds `capacity`, `quota`, `configuration`. Modes of a worker: `up`; `down` (nothing
listens); `failing` (500 to everything); `hanging` (accepts, never answers); `blank` (500 to `/` alone, while
`/healthz` is green, as code-server on a wrong Node.js); `garbled` (all is well, but `/healthz` tells no
heartbeat, as an editor that is not code-server).
A bad request is answered with 400, an unknown instance or rule with 404: `{"error": "a sentence"}`.
"""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, request
from moto.core.exceptions import ServiceException
from werkzeug.exceptions import BadRequest, HTTPException, NotFound

from app.simulator.faults import Fault

if TYPE_CHECKING:
    from app.simulator.cloud import SimulatedCloud

NUMBERS = ("min", "max", "desired")
DURATIONS = ("boot_seconds", "terminate_seconds")
FAULT_FIELDS = frozenset(field.name for field in fields(Fault) if field.init)


def control_application(cloud: "SimulatedCloud") -> Flask:
    """Return the control API of one cloud."""
    control = Flask("simulator-control")
    control.json.sort_keys = False  # type: ignore[attr-defined] # the default provider has it
    control.register_error_handler(HTTPException, _as_json)
    control.register_error_handler(ServiceException, _refused)
    control.register_error_handler(ValueError, _bad)
    _add_views(control, cloud)
    _add_group_views(control, cloud)
    _add_instance_views(control, cloud)
    _add_fault_views(control, cloud)
    return control


def _add_views(control: Flask, cloud: "SimulatedCloud") -> None:
    @control.get("/_cloud/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @control.get("/_cloud/state")
    def state() -> Response:
        return jsonify(cloud.state())

    @control.get("/_cloud/calls")
    def calls() -> Response:
        return jsonify(cloud.calls.as_json())

    @control.delete("/_cloud/calls")
    def forget_calls() -> Response:
        cloud.calls.clear()
        return jsonify(status="ok")

    @control.post("/_cloud/reset")
    def reset() -> Response:
        cloud.reset()
        return jsonify(status="ok")


def _add_group_views(control: Flask, cloud: "SimulatedCloud") -> None:
    @control.patch("/_cloud/group")
    def change_group() -> Response:
        body = _body({*NUMBERS, "protect", "suspended", *DURATIONS})
        _check_group(body)
        cloud.change_group(body)
        return jsonify(cloud.state()["group"])

    @control.post("/_cloud/groups")
    def create_group() -> tuple[Response, int]:
        body = _body({"name", *NUMBERS})
        _check_group(body)
        name, low = body.get("name"), body.get("min", 0)
        if not isinstance(name, str) or not name:
            raise BadRequest("name must be the name of the new group")
        cloud.create_group(name, minimum=low, maximum=body.get("max", 20), desired=body.get("desired", low))
        return jsonify(status="ok"), 201

    @control.delete("/_cloud/groups/<name>")
    def delete_group(name: str) -> Response:
        cloud.delete_group(name)
        return jsonify(status="ok")

    @control.post("/_cloud/capacity")
    def limit_capacity() -> Response:
        body = _body({"limit", "kind"})
        if "limit" not in body:
            raise BadRequest("limit is missing: a number of instances, or null for no limit")
        cloud.limit_capacity(body["limit"], body.get("kind", "capacity"))
        return jsonify(cloud.state()["capacity"])


def _add_instance_views(control: Flask, cloud: "SimulatedCloud") -> None:
    @control.post("/_cloud/instances/<instance_id>/terminate")
    def terminate(instance_id: str) -> Response:
        cloud.terminate(_known(cloud, instance_id))
        return jsonify(status="ok")

    @control.post("/_cloud/instances/<instance_id>/stop")
    def stop(instance_id: str) -> Response:
        cloud.stop_instance(_known(cloud, instance_id))
        return jsonify(status="ok")

    @control.post("/_cloud/instances/<instance_id>/unhealthy")
    def unhealthy(instance_id: str) -> Response:
        cloud.mark_unhealthy(_known(cloud, instance_id))
        return jsonify(status="ok")

    @control.post("/_cloud/instances/<instance_id>/lose")
    def lose(instance_id: str) -> Response:
        cloud.lose(_known(cloud, instance_id))
        return jsonify(status="ok")

    @control.post("/_cloud/instances/<instance_id>/worker")
    def worker(instance_id: str) -> Response:
        mode = _body({"mode"}).get("mode", "")
        if not cloud.machines.set_mode(_known(cloud, instance_id), mode):
            raise BadRequest(f"{instance_id} does not run, so it has no worker")
        return jsonify(status="ok")

    @control.post("/_cloud/workers")
    def workers() -> Response:
        cloud.machines.set_default(_body({"mode"}).get("mode", ""))
        return jsonify(mode=cloud.machines.default)


def _add_fault_views(control: Flask, cloud: "SimulatedCloud") -> None:
    @control.get("/_cloud/faults")
    def faults() -> Response:
        return jsonify(faults=cloud.faults.as_json())

    @control.post("/_cloud/faults")
    def add_fault() -> tuple[Response, int]:
        body = _body(FAULT_FIELDS)
        if "kind" not in body:
            raise BadRequest("kind is missing: error, html, drop, drop-after or delay")
        return jsonify(id=cloud.faults.add(Fault(**body))), 201

    @control.delete("/_cloud/faults")
    def lift_faults() -> Response:
        cloud.faults.clear()
        return jsonify(status="ok")

    @control.delete("/_cloud/faults/<fault_id>")
    def lift_fault(fault_id: str) -> Response:
        if not cloud.faults.remove(fault_id):
            raise NotFound(f"There is no fault {fault_id}.")
        return jsonify(status="ok")


def _body(allowed: set[str] | frozenset[str]) -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    unknown = sorted(body.keys() - allowed)
    if unknown:
        raise BadRequest(f"Unknown: {', '.join(unknown)}. Allowed: {', '.join(sorted(allowed))}.")
    return body


def _check_group(body: dict[str, Any]) -> None:
    for name in NUMBERS:
        if not _is_count(body.get(name, 0)):
            raise BadRequest(f"{name} must be a number from 0")
    if not isinstance(body.get("protect", False), bool):
        raise BadRequest("protect must be true or false")
    suspended = body.get("suspended", [])
    if not isinstance(suspended, list) or not all(isinstance(name, str) for name in suspended):
        raise BadRequest("suspended must be a list of process names, such as Launch")
    for name in DURATIONS:
        seconds = body.get(name, 0)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise BadRequest(f"{name} must be a number from 0")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _known(cloud: "SimulatedCloud", instance_id: str) -> str:
    if not cloud.knows(instance_id):
        raise NotFound(f"There is no instance {instance_id}.")
    return instance_id


def _as_json(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.description), error.code or 500


def _refused(error: Any) -> tuple[Response, int]:
    return jsonify(error=error.message), 400


def _bad(error: ValueError) -> tuple[Response, int]:
    return jsonify(error=str(error)), 400
