"""What a service answers: pools, instances, allocations and events as they go over the wire."""

from typing import Any

from app.api import seed, v1
from tests.answering import AnsweringService, Says

NOW = "2026-11-22T20:15:00Z"


def an_allocation(**given: Any) -> dict[str, Any]:
    return _wire(
        v1.Allocation,
        project="my-project",
        pool="default",
        instance="i-0123456789abcdef0",
        address="54.123.45.67",
        url="http://54.123.45.67:8080",
        state="allocated",
        allocated_at="2026-11-22T20:12:00Z",
        **given,
    )


def an_instance(**given: Any) -> dict[str, Any]:
    return _wire(
        v1.Instance,
        **{
            "id": "i-0123456789abcdef0",
            "pool": "default",
            "state": "idle",
            "state_since": "2026-11-22T20:14:18Z",
            "address": "54.123.45.67",
            "port": 8080,
            "url": "http://54.123.45.67:8080",
            "zone": "eu-west-1a",
            **given,
        },
    )


def a_pool(**given: Any) -> dict[str, Any]:
    return _wire(
        v1.Pool,
        **{
            "name": "default",
            "group": "vscode-asg",
            "region": "eu-west-1",
            "buffer": 5,
            "configured_buffer": 5,
            "paused": False,
            "address": "public",
            "port": 8080,
            "readiness": "http",
            "instances": {"booting": 1, "idle": 4, "allocated": 2, "terminating": 0, "held": 0},
            "waiting": 0,
            "desired_capacity": 7,
            "min_size": 0,
            "max_size": 20,
            "last_pass_at": "2026-11-22T20:14:57Z",
            "warnings": [],
            **given,
        },
    )


def figures(**given: Any) -> dict[str, Any]:
    return _wire(seed.PoolFigures, **_figures(given))


def a_status(*others: dict[str, Any], **given: Any) -> dict[str, Any]:
    return _wire(
        seed.Status,
        last_pass_age_seconds=3.2,
        replica="alpha",
        machines=[],
        leader=given.pop("leader", {"replica": "alpha", "term": 3, "since": NOW}),
        pools=[_wire(seed.PoolFigures, **_figures(given)), *others],
        **_figures(given),
    )


def an_event(number: int, **given: Any) -> dict[str, Any]:
    return _wire(
        v1.Event,
        **{
            "id": number,
            "at": "2026-11-22T20:14:00Z",
            "kind": "allocation.created",
            "pool": "default",
            "actor": "token:ci",
            "instance": "i-0123456789abcdef0",
            "project": "my-project",
            **given,
        },
    )


def page(*items: dict[str, Any]) -> Says:
    return Says(200, {"items": list(items), "next": None})


def world(service: AnsweringService) -> None:
    """A pool with an instance of each kind."""
    instances = [
        an_instance(id="i-0aaaaaaaaaaaaaaa1", state="allocated", project="my-project"),
        an_instance(id="i-0aaaaaaaaaaaaaaa2", state="allocated", project="a-project-with-a-rather-long-name"),
        an_instance(id="i-0aaaaaaaaaaaaaaa3", state="booting", address=None, url=None),
        an_instance(id="i-0aaaaaaaaaaaaaaa4"),
        an_instance(
            id="i-0aaaaaaaaaaaaaaa5", hold={"since": NOW, "by": "token:ops", "until": None, "reason": "odd"}
        ),
    ]
    service.on("GET", "/status", Says(200, a_status()))
    service.on("GET", "/v1/instances", page(*instances))
    service.on("GET", "/v1/pools", page(a_pool(), a_pool(name="gpu", buffer=2, paused=True)))
    service.on("GET", "/v1/pools/default", Says(200, a_pool()))
    service.on("GET", "/v1/allocations", page(an_allocation()))
    service.on("GET", "/v1/allocations/my-project", Says(200, an_allocation()))
    service.on("GET", "/v1/events", page(an_event(2), an_event(1, kind="instance.idle", project=None)))


def _figures(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "default",
        "total_machines": 6,
        "idle_machines": 4,
        "used_machines": 2,
        "booting_machines": 1,
        "terminating_machines": 0,
        "held_machines": 1,
        "waiting_projects": 0,
        "buffer": 5,
        "paused": False,
        "desired_capacity": 7,
        "min_size": 0,
        "max_size": 20,
        "last_pass_at": "2026-11-22T20:14:57Z",
        "warnings": [],
        **given,
    }


def _wire(model: Any, **given: Any) -> dict[str, Any]:
    """Return a model's JSON; what is not given and may be null is."""
    given = dict.fromkeys(model.model_fields) | given
    told: dict[str, Any] = model.model_validate(given).model_dump(mode="json", by_alias=True)
    return told
