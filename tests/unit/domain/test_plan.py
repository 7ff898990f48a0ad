"""What one pass must do: values in, actions out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.actions import (
    Discover,
    MarkInService,
    MarkMissing,
    MarkTerminated,
    MarkTerminating,
    Protect,
    RaiseDesired,
    TagAllocation,
    Terminate,
    Withdraw,
)
from app.domain.model import (
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    Lifecycle,
    Limit,
    Power,
    ProjectId,
    SeenInstance,
)
from tests.builders import NOW, a_group, a_look, an_instance, an_observation
from tests.unit.domain.pools import ALLOCATED, BOOTING, TERMINATING, a_pool, decide

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

    assert decide(an_observation(*looks), known).actions[:1] == (
        Withdraw(known[0].id, reason="AWS does not show it in service and running at its address"),
    )


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


def test_an_instance_that_is_pending_for_too_long_is_reported_and_left_alone() -> None:
    look = a_look(lifecycle=Lifecycle.PENDING, raw_lifecycle="Pending:Wait", power=Power.RUNNING)
    fresh = an_instance(id=look.id, state_since=NOW - timedelta(seconds=299))
    late = replace(fresh, state_since=NOW - timedelta(seconds=300))
    group = a_group(desired=9)

    assert decide(an_observation(look, group=group), [fresh]).notices == ()
    decided = decide(an_observation(look, group=group), [late])
    assert [notice.code for notice in decided.notices] == ["launch-slow"]
    assert decided.actions == ()


@pytest.mark.parametrize(
    ("change", "state", "code"),
    [
        ({"power": Power.UNKNOWN, "address": None}, BOOTING, "details-missing"),
        ({}, TERMINATING, "termination-stuck"),
    ],
)
def test_what_is_stuck_for_long_is_reported(
    change: dict[str, object], state: InstanceState, code: str
) -> None:
    look = a_look(**change)
    stuck = an_instance(
        id=look.id,
        state=state,
        state_since=NOW - timedelta(hours=1),
        launched_at=NOW - timedelta(hours=1),
        terminate_called_at=NOW,
    )

    decided = decide(an_observation(look, group=a_group(desired=9)), [stuck])

    assert [notice.code for notice in decided.notices] == [code]


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


def missing_for(seconds: float, known: list[Instance]) -> list[Instance]:
    return [replace(instance, missing_since=NOW - timedelta(seconds=seconds)) for instance in known]


def test_a_look_that_would_lose_many_allocations_at_once_is_refused_and_shouted_about() -> None:
    _, known = a_pool(used=4)

    decided = decide(an_observation(group=a_group(desired=9)), missing_for(3600, known))

    assert decided.actions == ()
    assert [notice.code for notice in decided.notices] == ["absurd-look"]
    assert decided.sizing.limited_by is Limit.AWS_ERRORS


def test_idle_instances_are_not_given_up_by_such_a_look_either() -> None:
    _, known = a_pool(idle=5)

    decided = decide(an_observation(group=a_group(desired=5)), missing_for(3600, known))

    assert decided.actions == ()
    assert [notice.code for notice in decided.notices] == ["absurd-look"]


def test_nothing_that_such_a_look_shows_is_taken_in_and_nothing_is_written() -> None:
    _, known = a_pool(idle=5, used=3)
    strangers = [a_look() for _ in range(20)]
    ending_one = an_instance(state=TERMINATING, end_reason=EndReason.DESTROYED)

    decided = decide(
        an_observation(*strangers, group=a_group(desired=3)), [*missing_for(60, known), ending_one]
    )

    assert decided.actions == ()


def test_in_the_group_that_we_know_work_goes_on_and_only_giving_up_takes_longer() -> None:
    looks, known = a_pool(idle=3, used=3)

    decided = decide(an_observation(*looks[:2], group=a_group(desired=2)), known, assured=True)

    missed = [instance.id for instance in known[2:]]
    assert {one.instance for one in decided.actions if isinstance(one, MarkMissing)} == set(missed)
    assert [one.instance for one in decided.actions if isinstance(one, Withdraw)] == [known[2].id]
    assert RaiseDesired(2, 5) in decided.actions
    assert [notice.code for notice in decided.notices] == ["absurd-look"]


@pytest.mark.parametrize(("minutes", "believed"), [(9, False), (10, True)])
def test_there_it_is_believed_after_ten_minutes(minutes: int, believed: bool) -> None:
    _, known = a_pool(used=4)
    group = a_group(desired=9)

    actions = decide(an_observation(group=group), missing_for(minutes * 60, known), assured=True).actions

    assert (len([one for one in actions if isinstance(one, MarkTerminated)]) == 4) is believed


def test_those_that_came_since_do_not_make_it_look_like_few() -> None:
    _, known = a_pool(used=4)
    looks, newcomers = a_pool(idle=20)

    decided = decide(
        an_observation(*looks, group=a_group(desired=30)), [*missing_for(60, known), *newcomers], assured=True
    )

    assert not any(isinstance(one, MarkTerminated) for one in decided.actions)


def test_an_idle_instance_that_a_look_misses_is_not_given_until_it_is_seen_again() -> None:
    looks, known = a_pool(idle=5)

    actions = decide(an_observation(*looks[1:], group=a_group(desired=9)), known).actions

    assert actions == (
        MarkMissing(known[0].id, since=NOW),
        Withdraw(known[0].id, reason="a complete look at AWS misses it"),
    )


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


# Protection from scale-in


def test_members_that_the_group_did_not_protect_are_protected_before_they_can_be_idle() -> None:
    bare = a_look(protected=False)

    actions = decide(an_observation(bare, group=a_group(desired=9))).actions

    assert actions == (Discover(bare), Protect((bare.id,)))


def test_one_call_protects_fifty() -> None:
    looks, known = a_pool(idle=120)
    bare = [replace(look, protected=False) for look in looks]

    actions = decide(an_observation(*bare), known).actions

    assert [len(action.instances) for action in actions if isinstance(action, Protect)] == [50, 50, 20]


@pytest.mark.parametrize("lifecycle", [Lifecycle.PENDING, Lifecycle.OTHER, Lifecycle.LEAVING])
def test_what_aws_would_not_let_us_protect_is_not_tried(lifecycle: Lifecycle) -> None:
    looks, known = a_pool(idle=5)
    looks[0] = replace(looks[0], protected=False, lifecycle=lifecycle)

    actions = decide(an_observation(*looks), known).actions

    assert not any(isinstance(action, Protect) for action in actions)


def test_what_we_end_is_not_protected_first() -> None:
    look = a_look(protected=False)
    ending = an_instance(id=look.id, state=TERMINATING)

    actions = decide(an_observation(look, group=a_group(desired=9)), [ending]).actions

    assert actions == (Terminate(look.id),)
