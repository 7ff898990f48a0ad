"""Worlds of one group, and what a pass decides in them: for the tests of this folder."""

from collections.abc import Iterable

from app.domain.model import Instance, InstanceState, Observation, Policy, ProjectId, SeenInstance
from app.domain.plan import NO_SETBACKS, Plan, plan
from app.domain.setbacks import Setbacks
from app.domain.settled import Unsettled
from tests.builders import NOW, a_look, an_instance

POLICY = Policy()
BOOTING, IDLE = InstanceState.BOOTING, InstanceState.IDLE
ALLOCATED, TERMINATING = InstanceState.ALLOCATED, InstanceState.TERMINATING


def decide(
    seen: Observation,
    known: Iterable[Instance] = (),
    *,
    waiting: int = 0,
    policy: Policy = POLICY,
    setbacks: Setbacks = NO_SETBACKS,
    assured: bool = False,
) -> Plan:
    return plan(
        Unsettled.of(seen, {instance.id: instance for instance in known}),
        waiting,
        policy,
        NOW,
        setbacks=setbacks,
        assured=assured,
    )


def a_pool(*, idle: int = 0, used: int = 0) -> tuple[list[SeenInstance], list[Instance]]:
    """Build a world at rest: members in service, and what the registry knows of them."""
    looks, known = [], []
    for number in range(idle + used):
        look = a_look()
        looks.append(look)
        state = IDLE if number < idle else ALLOCATED
        known.append(
            an_instance(
                id=look.id,
                state=state,
                address=look.address,
                port=8080,
                project=None if state is IDLE else ProjectId(f"project-{number}"),
                allocated_at=None if state is IDLE else NOW,
                tagged=state is ALLOCATED,
            )
        )
    return looks, known
