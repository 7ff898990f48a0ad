"""What one pass must do: values in, actions out."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.model import (
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    Lifecycle,
    Limit,
    Observation,
    Policy,
    Power,
    ProjectId,
    SeenInstance,
)
from app.domain.plan import (
    Discover,
    MarkIdle,
    MarkInService,
    MarkMissing,
    MarkTerminated,
    MarkTerminating,
    Plan,
    RaiseDesired,
    TagAllocation,
    Terminate,
    Withdraw,
    boots,
    conclude_boots,
    desired_capacity,
    plan,
)
from tests.builders import NOW, a_group, a_look, an_instance, an_observation

POLICY = Policy()
BOOTING, IDLE = InstanceState.BOOTING, InstanceState.IDLE
ALLOCATED, TERMINATING = InstanceState.ALLOCATED, InstanceState.TERMINATING


def decide(
    seen: Observation,
    known: Iterable[Instance] = (),
    *,
    waiting: int = 0,
    policy: Policy = POLICY,
) -> Plan:
    return plan(seen, {instance.id: instance for instance in known}, waiting, policy, NOW)


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


# Scaling: the seed's table and what follows from it


@pytest.mark.parametrize(
    ("total", "idle", "becomes"),
    [(10, 2, 13), (8, 1, 12), (15, 7, 15)],
)
def test_the_seeds_scaling_table(total: int, idle: int, becomes: int) -> None:
    looks, known = a_pool(idle=idle, used=total - idle)

    decided = decide(an_observation(*looks), known)

    assert decided.sizing.target == becomes
    raised = [action for action in decided.actions if isinstance(action, RaiseDesired)]
    assert raised == ([RaiseDesired(total, becomes)] if becomes > total else [])


def test_desired_capacity_is_allocated_and_waiting_and_buffer() -> None:
    assert desired_capacity(allocated=8, waiting=2, buffer=5) == 15


def test_an_empty_group_fills_from_zero() -> None:
    assert decide(an_observation()).actions == (RaiseDesired(0, 5),)


def test_booting_instances_are_never_added_twice() -> None:
    pending = [a_look(lifecycle=Lifecycle.PENDING, power=Power.PENDING, address=None) for _ in range(5)]
    known = [an_instance(id=look.id, state=BOOTING) for look in pending]

    assert decide(an_observation(*pending), known).actions == ()


def test_what_was_asked_for_and_is_not_listed_yet_is_not_asked_for_again() -> None:
    assert decide(an_observation(group=a_group(desired=5))).actions == ()


def test_desired_is_never_lowered() -> None:
    looks, known = a_pool(idle=7)

    assert decide(an_observation(*looks, group=a_group(desired=9)), known).actions == ()


def test_max_size_clamps_and_says_so() -> None:
    looks, known = a_pool(used=8)

    decided = decide(an_observation(*looks, group=a_group(desired=8, max_size=10)), known)

    assert decided.actions == (RaiseDesired(8, 10),)
    assert decided.sizing.limited_by is Limit.MAX_SIZE


def test_a_max_size_below_desired_changes_nothing() -> None:
    looks, known = a_pool(idle=1, used=9)

    decided = decide(an_observation(*looks, group=a_group(desired=10, max_size=4)), known)

    assert decided.actions == ()
    assert decided.sizing.limited_by is Limit.MAX_SIZE


def test_a_pool_with_a_full_buffer_is_not_limited() -> None:
    looks, known = a_pool(idle=5)

    assert (
        decide(an_observation(*looks, group=a_group(desired=5, max_size=5)), known).sizing.limited_by is None
    )


def test_those_who_wait_count_as_demand() -> None:
    assert decide(an_observation(), waiting=3).actions == (RaiseDesired(0, 8),)


def test_an_allocated_instance_that_is_leaving_needs_no_place() -> None:
    looks, known = a_pool(idle=5, used=1)
    looks[-1] = replace(looks[-1], lifecycle=Lifecycle.LEAVING)

    decided = decide(an_observation(*looks), known)

    assert not any(isinstance(action, RaiseDesired) for action in decided.actions)


def test_where_desired_cannot_be_read_a_protected_group_is_sized_by_its_members() -> None:
    looks, known = a_pool(idle=2, used=8)
    blind = a_group(desired=None, min_size=None, max_size=None)

    assert decide(an_observation(*looks, group=blind), known).actions == (RaiseDesired(10, 13),)


def test_where_desired_cannot_be_read_an_unprotected_group_is_never_resized() -> None:
    looks, known = a_pool(idle=2, used=8)
    looks[4] = replace(looks[4], protected=False)
    blind = a_group(desired=None, min_size=None, max_size=None)

    decided = decide(an_observation(*looks, group=blind), known)

    assert decided.actions == ()
    assert decided.sizing.limited_by is Limit.AWS_ERRORS


# The life of an instance


def test_a_new_member_is_discovered() -> None:
    look = a_look()

    assert Discover(look) in decide(an_observation(look)).actions


@pytest.mark.parametrize(
    "look",
    [
        a_look(lifecycle=Lifecycle.LEAVING),
        a_look(power=Power.TERMINATED),
        a_look(lifecycle=Lifecycle.ABSENT),
    ],
)
def test_what_is_on_its_way_out_or_not_a_member_is_not_discovered(look: SeenInstance) -> None:
    assert not any(isinstance(action, Discover) for action in decide(an_observation(look)).actions)


def concluded(look: SeenInstance, instance: Instance, *, ready: bool) -> list[MarkIdle | MarkTerminating]:
    passed = frozenset({look.id} if ready else ())
    return list(conclude_boots([look], {instance.id: instance}, passed, POLICY, NOW))


def test_a_booting_instance_that_passed_its_probe_is_offered() -> None:
    look = a_look(address="10.0.0.7")
    instance = an_instance(id=look.id, state=BOOTING, state_since=NOW)

    assert concluded(look, instance, ready=True) == [MarkIdle(look.id, "10.0.0.7", 8080)]


def test_the_port_on_the_instances_tag_wins() -> None:
    look = a_look(address="10.0.0.7", port=9999)
    instance = an_instance(id=look.id, state=BOOTING, state_since=NOW)

    assert concluded(look, instance, ready=True) == [MarkIdle(look.id, "10.0.0.7", 9999)]


@pytest.mark.parametrize(
    "unfit",
    [{"healthy": False}, {"power": Power.STOPPED}, {"address": None}],
    ids=["unhealthy", "stopped", "no address"],
)
def test_running_alone_is_not_ready(unfit: dict[str, object]) -> None:
    look = a_look(**unfit)
    instance = an_instance(id=look.id, state=BOOTING, state_since=NOW)

    assert concluded(look, instance, ready=True) == []


def booting_for(look: SeenInstance, seconds: float) -> Instance:
    since = NOW - timedelta(seconds=seconds)
    return an_instance(id=look.id, state=BOOTING, state_since=since, in_service_since=since)


def test_a_booting_instance_has_time_to_become_ready() -> None:
    look = a_look()

    assert concluded(look, booting_for(look, 299), ready=False) == []


def test_a_booting_instance_that_takes_too_long_is_replaced() -> None:
    look = a_look()

    assert concluded(look, booting_for(look, 300), ready=False) == [
        MarkTerminating(look.id, expect=BOOTING, reason=EndReason.BOOT_TIMEOUT)
    ]


def test_an_overdue_instance_that_is_ready_after_all_is_offered() -> None:
    look = a_look()

    assert [type(action) for action in concluded(look, booting_for(look, 3600), ready=True)] == [MarkIdle]


def test_the_time_to_become_ready_does_not_run_while_aws_prepares_the_instance() -> None:
    look = a_look()
    instance = replace(booting_for(look, 3600), in_service_since=NOW - timedelta(seconds=299))

    assert concluded(look, instance, ready=False) == []


def test_a_withdrawn_instance_has_its_time_anew() -> None:
    look = a_look()
    instance = replace(booting_for(look, 3600), state_since=NOW - timedelta(seconds=299))

    assert concluded(look, instance, ready=False) == []


@pytest.mark.parametrize(
    "look",
    [a_look(power=Power.UNKNOWN, address=None), a_look(address=None)],
    ids=["EC2 was not asked", "no address to probe"],
)
def test_an_instance_that_cannot_be_probed_is_not_replaced_for_it(look: SeenInstance) -> None:
    assert concluded(look, booting_for(look, 3600), ready=False) == []


def test_entering_service_is_noted_once() -> None:
    look = a_look()
    fresh = an_instance(id=look.id, state=BOOTING)
    group = a_group(desired=9)

    assert decide(an_observation(look, group=group), [fresh]).actions == (MarkInService(look.id, since=NOW),)
    noted = replace(fresh, in_service_since=NOW)
    assert decide(an_observation(look, group=group), [noted]).actions == ()


def test_leaving_service_starts_the_time_anew() -> None:
    look = a_look(lifecycle=Lifecycle.OTHER, raw_lifecycle="Standby")
    noted = an_instance(id=look.id, state=BOOTING, in_service_since=NOW)

    assert decide(an_observation(look, group=a_group(desired=9)), [noted]).actions == (
        MarkInService(look.id, since=None),
    )


def test_an_instance_that_was_claimed_meanwhile_is_left_alone() -> None:
    look = a_look()
    instance = an_instance(id=look.id, state=ALLOCATED, project=ProjectId("p"))

    assert concluded(look, instance, ready=True) == []


@pytest.mark.parametrize("lifecycle", [Lifecycle.PENDING, Lifecycle.OTHER, Lifecycle.LEAVING])
def test_only_what_aws_has_in_service_is_probed(lifecycle: Lifecycle) -> None:
    look = a_look(lifecycle=lifecycle)
    known = {look.id: an_instance(id=look.id, state=BOOTING)}

    assert boots(an_observation(look), known) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"healthy": False},
        {"power": Power.STOPPED},
        {"lifecycle": Lifecycle.OTHER, "raw_lifecycle": "Standby"},
        {"address": "10.9.9.9"},
        {"lifecycle": Lifecycle.ABSENT},
    ],
    ids=["unhealthy", "stopped", "standby", "new address", "detached"],
)
def test_an_idle_instance_that_is_no_longer_fit_is_withdrawn_not_ended(change: dict[str, object]) -> None:
    looks, known = a_pool(idle=6)
    looks[0] = replace(looks[0], **change)  # type: ignore[arg-type]

    assert decide(an_observation(*looks), known).actions == (Withdraw(known[0].id),)


def test_an_incomplete_look_withdraws_nothing() -> None:
    looks, known = a_pool(idle=5)
    looks[0] = replace(looks[0], power=Power.UNKNOWN)

    assert decide(an_observation(*looks, complete=False), known).actions == ()


@pytest.mark.parametrize(
    "proof",
    [
        {"lifecycle": Lifecycle.LEAVING},
        {"power": Power.ENDING},
        {"lifecycle": Lifecycle.ABSENT, "power": Power.ENDING},
    ],
)
def test_an_instance_that_aws_is_ending_is_terminating(proof: dict[str, object]) -> None:
    looks, known = a_pool(idle=5, used=1)
    looks[-1] = replace(looks[-1], **proof)  # type: ignore[arg-type]

    actions = decide(an_observation(*looks), known).actions

    assert actions == (MarkTerminating(known[-1].id, expect=ALLOCATED, reason=EndReason.LEFT),)


def test_an_instance_that_ec2_says_is_terminated_is_gone() -> None:
    looks, known = a_pool(idle=5, used=1)
    looks[-1] = replace(looks[-1], lifecycle=Lifecycle.ABSENT, power=Power.TERMINATED)

    actions = decide(an_observation(*looks), known).actions

    assert actions == (MarkTerminated(known[-1].id, expect=ALLOCATED, reason=EndReason.LEFT),)


def test_a_state_we_do_not_know_leaves_an_allocated_instance_alone_and_is_reported() -> None:
    looks, known = a_pool(idle=5, used=1)
    looks[-1] = replace(looks[-1], lifecycle=Lifecycle.OTHER, raw_lifecycle="Standby")

    decided = decide(an_observation(*looks), known)

    assert decided.actions == ()
    assert [notice.code for notice in decided.notices] == ["unknown-lifecycle"]


def test_a_detached_instance_in_use_is_left_alone_and_reported() -> None:
    looks, known = a_pool(idle=5, used=1)
    looks[-1] = replace(looks[-1], lifecycle=Lifecycle.ABSENT)

    decided = decide(an_observation(*looks), known)

    assert decided.actions == ()
    assert [notice.code for notice in decided.notices] == ["detached"]


# Absence


def test_one_look_without_an_instance_proves_nothing() -> None:
    looks, known = a_pool(idle=5, used=3)

    actions = decide(an_observation(*looks[:-1]), known).actions

    assert actions == (MarkMissing(known[-1].id, since=NOW),)


def test_a_second_look_right_after_the_first_proves_nothing_either() -> None:
    looks, known = a_pool(idle=5, used=3)
    known[-1] = replace(known[-1], missing_since=NOW - timedelta(seconds=9))

    assert decide(an_observation(*looks[:-1]), known).actions == ()


def test_a_second_look_some_time_later_proves_that_it_is_gone() -> None:
    looks, known = a_pool(idle=5, used=3)
    known[-1] = replace(known[-1], missing_since=NOW - timedelta(seconds=10))

    assert decide(an_observation(*looks[:-1]), known).actions == (
        MarkTerminated(known[-1].id, expect=ALLOCATED, reason=EndReason.VANISHED),
    )


def test_an_instance_that_is_listed_again_was_never_gone() -> None:
    looks, known = a_pool(idle=5, used=1)
    known[-1] = replace(known[-1], missing_since=NOW - timedelta(hours=1))

    assert decide(an_observation(*looks), known).actions == (MarkMissing(known[-1].id, since=None),)


def test_an_incomplete_look_proves_no_absence() -> None:
    looks, known = a_pool(idle=5, used=3)
    known[-1] = replace(known[-1], missing_since=NOW - timedelta(hours=1))

    assert decide(an_observation(*looks[:-1], complete=False), known).actions == ()


def test_a_look_that_would_lose_many_allocations_at_once_is_refused_and_shouted_about() -> None:
    _, known = a_pool(used=4)
    long_missing = [replace(instance, missing_since=NOW - timedelta(hours=1)) for instance in known]

    decided = decide(an_observation(group=a_group(desired=9)), long_missing)

    assert decided.actions == ()
    assert [notice.code for notice in decided.notices] == ["absurd-look"]


def test_idle_instances_are_not_given_up_by_such_a_look_either() -> None:
    _, known = a_pool(idle=5)
    long_missing = [replace(instance, missing_since=NOW - timedelta(hours=1)) for instance in known]

    decided = decide(an_observation(group=a_group(desired=5)), long_missing)

    assert decided.actions == ()
    assert [notice.code for notice in decided.notices] == ["absurd-look"]


def test_a_member_that_was_taken_for_gone_is_reported_and_made_up_for() -> None:
    looks, known = a_pool(idle=5, used=1)
    known[-1] = replace(known[-1], state=InstanceState.TERMINATED, end_reason=EndReason.VANISHED)

    decided = decide(an_observation(*looks, group=a_group(desired=5)), known)

    assert decided.actions == (RaiseDesired(5, 6),)
    assert [notice.code for notice in decided.notices] == ["back-from-the-dead"]


def test_a_top_up_waits_for_nothing_else() -> None:
    looks, known = a_pool(idle=1, used=8)
    known[-1] = replace(known[-1], tagged=False)
    known[-2] = replace(known[-2], state=TERMINATING, end_reason=EndReason.DESTROYED)

    planned = [type(action) for action in decide(an_observation(*looks), known).actions]

    assert planned == [RaiseDesired, Terminate, TagAllocation]


def test_an_incomplete_look_is_not_shouted_about() -> None:
    _, known = a_pool(used=4)

    assert decide(an_observation(group=a_group(desired=9), complete=False), known).notices == ()


# Ending


def ending(reason: EndReason = EndReason.DESTROYED, **overrides: object) -> tuple[SeenInstance, Instance]:
    look = a_look()
    instance = an_instance(id=look.id, state=TERMINATING, end_reason=reason, **overrides)
    return look, instance


def terminated(look: SeenInstance, instance: Instance) -> list[InstanceId]:
    actions = decide(an_observation(look, group=a_group(desired=9)), [instance]).actions
    return [action.instance for action in actions if isinstance(action, Terminate)]


@pytest.mark.parametrize("reason", [EndReason.DESTROYED, EndReason.BOOT_TIMEOUT])
def test_what_we_decided_to_end_is_terminated(reason: EndReason) -> None:
    look, instance = ending(reason)

    assert terminated(look, instance) == [instance.id]


@pytest.mark.parametrize("reason", [EndReason.LEFT, EndReason.VANISHED])
def test_what_we_did_not_decide_to_end_is_never_terminated_by_us(reason: EndReason) -> None:
    look, instance = ending(reason)

    assert terminated(look, instance) == []


def test_a_termination_in_doubt_is_not_repeated_at_once() -> None:
    look, instance = ending(terminate_called_at=NOW - timedelta(seconds=29))

    assert terminated(look, instance) == []


def test_a_termination_in_doubt_is_repeated_when_aws_still_shows_nothing_of_it() -> None:
    look, instance = ending(terminate_called_at=NOW - timedelta(seconds=30))

    assert terminated(look, instance) == [instance.id]


def test_a_termination_that_aws_is_carrying_out_is_not_repeated() -> None:
    look, instance = ending()

    assert terminated(replace(look, lifecycle=Lifecycle.LEAVING), instance) == []


def test_what_is_no_longer_a_member_is_never_terminated_by_us() -> None:
    look, instance = ending()

    assert terminated(replace(look, lifecycle=Lifecycle.ABSENT), instance) == []


# Tags


def test_an_allocation_is_written_on_its_instance_once() -> None:
    looks, known = a_pool(idle=5, used=1)
    known[-1] = replace(known[-1], tagged=False)

    assert decide(an_observation(*looks), known).actions == (
        TagAllocation(known[-1].id, ProjectId("project-5"), NOW),
    )


def test_a_world_at_rest_needs_no_action() -> None:
    looks, known = a_pool(idle=5, used=10)

    assert decide(an_observation(*looks), known).actions == ()
