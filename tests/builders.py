"""Domain values with sensible defaults: a test names only what it is about.

Values built for the same id agree with each other: `an_instance(id=x, state=IDLE)` has the address that
`a_look(id=x)` shows. Without an id, each value gets one of its own.
"""

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    Group,
    Instance,
    InstanceId,
    InstanceState,
    Lifecycle,
    Observation,
    PoolName,
    Power,
    ProjectId,
    SeenInstance,
)
from app.settings import PoolSettings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

_serial = itertools.count(1)


def an_instance_id() -> InstanceId:
    """Return an instance id that no other value of this test run has."""
    return InstanceId(f"i-{next(_serial):017x}")


def address_of(instance: InstanceId) -> str:
    """Return the loopback address that belongs to an instance id: the same each time."""
    low = int(instance[-4:], base=16) % 0xFFFF + 1
    return f"127.66.{low >> 8}.{low & 0xFF}"


def an_instance(**overrides: Any) -> Instance:
    """Build an instance of the registry: booting, unless told otherwise, and with what its state implies."""
    identity: InstanceId = overrides.pop("id", None) or an_instance_id()
    state: InstanceState = overrides.pop("state", InstanceState.BOOTING)
    plain = Instance(
        id=identity, pool=DEFAULT_POOL, state=state, state_since=NOW, zone="eu-west-1a", launched_at=NOW
    )
    return replace(replace(plain, **_implied(identity, state)), **overrides)


def _implied(identity: InstanceId, state: InstanceState) -> dict[str, Any]:
    offered = {"address": address_of(identity), "port": 8080}
    match state:
        case InstanceState.BOOTING:
            return {}
        case InstanceState.IDLE:
            return offered
        case InstanceState.ALLOCATED:
            return {**offered, "project": ProjectId(f"project-{identity[-4:]}"), "allocated_at": NOW}
        case InstanceState.TERMINATING | InstanceState.TERMINATED:
            return {**offered, "end_reason": EndReason.DESTROYED}


def a_look(**overrides: Any) -> SeenInstance:
    """Build what AWS shows of an instance: in service, healthy, running, protected, with an address."""
    identity: InstanceId = overrides.pop("id", None) or an_instance_id()
    return replace(
        SeenInstance(
            id=identity,
            lifecycle=Lifecycle.IN_SERVICE,
            power=Power.RUNNING,
            healthy=True,
            protected=True,
            address=address_of(identity),
            zone="eu-west-1a",
            launched_at=NOW,
            raw_lifecycle="InService",
        ),
        **overrides,
    )


def a_pool(name: str = DEFAULT_POOL, **overrides: Any) -> PoolSettings:
    """Build what a pool is set to: the defaults, and a group of its own."""
    group = "vscode-asg" if name == DEFAULT_POOL else f"{name}-asg"
    plain = PoolSettings(
        name=PoolName(name),
        group=group,
        region="eu-west-1",
        buffer=5,
        address="public",
        port=8080,
        readiness="http",
        readiness_path="/healthz",
        boot_timeout=300,
    )
    return replace(plain, **overrides)


def a_group(**overrides: Any) -> Group:
    """Build a group's figures: desired 5 of at most 20."""
    return replace(Group(desired=5, min_size=0, max_size=20), **overrides)


def an_observation(*looks: SeenInstance, **overrides: Any) -> Observation:
    """Build a complete look: desired is the number of live members."""
    living = sum(look.member and not look.leaving for look in looks)
    return replace(
        Observation(
            group=a_group(desired=living),
            instances={look.id: look for look in looks},
            complete=True,
        ),
        **overrides,
    )
