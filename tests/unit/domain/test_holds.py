"""What somebody holds: a pass keeps its hands off."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.actions import (
    MarkIdle,
    MarkTerminated,
    MarkTerminating,
    Protect,
    RaiseDesired,
    Terminate,
    Withdraw,
)
from app.domain.boots import boots, conclude_boots
from app.domain.model import (
    EndReason,
    Hold,
    Instance,
    InstanceId,
    InstanceState,
    Lifecycle,
    Limit,
    Power,
    SeenInstance,
)
from app.domain.plan import Plan
from tests.builders import NOW, a_group, a_look, an_instance, an_observation
from tests.unit.domain.pools import ALLOCATED, BOOTING, IDLE, POLICY, TERMINATING, a_pool, decide

SECOND = timedelta(seconds=1)
HELD = Hold(since=NOW, by="somebody")
PAUSED = replace(POLICY, paused=True)


def a_member(**fields: object) -> tuple[SeenInstance, Instance]:
    """Build an instance of the registry, and what AWS shows of it."""
    instance = an_instance(**fields)
    return a_look(id=instance.id), instance


def ends_of(decided: Plan) -> list[object]:
    return [one for one in decided.actions if isinstance(one, Terminate)]


# What is held


def test_a_held_instance_is_not_terminated() -> None:
    look, instance = a_member(state=TERMINATING, hold=HELD)

    assert ends_of(decide(an_observation(look), [instance])) == []


def test_a_held_instance_stays_protected_from_scale_in() -> None:
    look, instance = a_member(state=TERMINATING, hold=HELD)

    decided = decide(an_observation(replace(look, protected=False)), [instance])

    assert Protect((instance.id,)) in decided.actions


def test_a_held_booting_instance_is_neither_probed_nor_offered_nor_replaced() -> None:
    long_ago = NOW - timedelta(hours=1)
    look, instance = a_member(state=BOOTING, state_since=long_ago, in_service_since=long_ago, hold=HELD)
    known = {instance.id: instance}

    assert boots(an_observation(look), known) == ()
    for ready in (frozenset[InstanceId](), frozenset({look.id})):
        assert list(conclude_boots([look], known, ready, [], policy=POLICY, now=NOW)) == []


def test_after_the_hold_a_booting_instance_is_offered_or_replaced() -> None:
    long_ago = NOW - timedelta(hours=1)
    look, instance = a_member(state=BOOTING, state_since=long_ago, in_service_since=long_ago)
    known = {instance.id: instance}

    def concluded(ready: set[InstanceId]) -> list[type]:
        return [type(one) for one in conclude_boots([look], known, ready, [], policy=POLICY, now=NOW)]

    assert concluded({look.id}) == [MarkIdle]
    assert concluded(set()) == [MarkTerminating]


def test_one_that_fell_silent_while_it_is_held_does_not_speak_for_a_fault_of_ours() -> None:
    """Or the others would have the whole boot timeout, see boots._allowance."""
    a_while_ago = NOW - POLICY.recovery
    look, fallen = a_member(state=BOOTING, state_since=a_while_ago, in_service_since=a_while_ago)
    fallen = replace(fallen, address="10.0.0.1", port=8080)
    held = [replace(fallen, id=an_instance().id, hold=HELD) for _ in range(3)]
    known = {one.id: one for one in (fallen, *held, an_instance(state=IDLE))}

    (action,) = conclude_boots([look], known, set(), [], policy=POLICY, now=NOW)

    assert isinstance(action, MarkTerminating)


def test_a_held_idle_instance_that_aws_no_longer_shows_fit_is_withdrawn() -> None:
    look, instance = a_member(state=IDLE, hold=HELD)

    decided = decide(an_observation(replace(look, healthy=False)), [instance])

    assert [type(one) for one in decided.actions if isinstance(one, Withdraw)] == [Withdraw]


def test_a_held_instance_that_aws_ended_is_noted_as_gone() -> None:
    look, instance = a_member(state=ALLOCATED, hold=HELD)

    decided = decide(an_observation(replace(look, power=Power.TERMINATED)), [instance])

    assert MarkTerminated(instance.id, expect=ALLOCATED, reason=EndReason.LEFT) in decided.actions


def test_what_is_held_is_not_reported_as_stuck() -> None:
    long_ago = NOW - timedelta(hours=1)
    ending = a_member(state=TERMINATING, state_since=long_ago, hold=HELD)
    pending = a_member(state=BOOTING, state_since=long_ago, hold=HELD)
    looks = [ending[0], replace(pending[0], lifecycle=Lifecycle.PENDING)]

    assert decide(an_observation(*looks), [ending[1], pending[1]]).notices == ()


# Sizing


@pytest.mark.parametrize("state", [BOOTING, IDLE, ALLOCATED, TERMINATING])
def test_a_held_instance_takes_one_place_whatever_its_state(state: InstanceState) -> None:
    looks, known = a_pool(idle=5)
    look, instance = a_member(state=state, hold=HELD, tagged=True)

    decided = decide(an_observation(*looks, look), [*known, instance])

    assert (decided.sizing.allocated, decided.sizing.wanted, decided.sizing.limited_by) == (1, 6, None)


def test_the_place_of_an_idle_instance_that_is_held_is_made_up_for() -> None:
    looks, known = a_pool(idle=5)
    known[0] = replace(known[0], hold=HELD)

    assert decide(an_observation(*looks), known).actions == (RaiseDesired(5, 6),)


def test_a_held_instance_that_is_leaving_takes_no_place() -> None:
    looks, known = a_pool(idle=5)
    look, instance = a_member(state=TERMINATING, end_reason=EndReason.LEFT, hold=HELD)

    decided = decide(an_observation(*looks, replace(look, lifecycle=Lifecycle.LEAVING)), [*known, instance])

    assert decided.sizing.wanted == 5


def test_desired_is_not_lowered_after_a_hold() -> None:
    looks, known = a_pool(idle=6)

    assert decide(an_observation(*looks), known).actions == ()


def test_what_is_held_does_not_fill_the_buffer() -> None:
    looks, known = a_pool(idle=5)
    known[0] = replace(known[0], hold=HELD)

    decided = decide(an_observation(*looks, group=a_group(desired=5, max_size=5)), known)

    assert decided.sizing.limited_by is Limit.MAX_SIZE
