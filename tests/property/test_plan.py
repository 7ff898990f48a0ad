"""What holds for every plan, whatever AWS shows and whatever the registry knows."""

from collections import Counter
from dataclasses import replace
from typing import TypeVar

from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.actions import (
    Action,
    Adopt,
    Change,
    Discover,
    MarkIdle,
    MarkMissing,
    MarkTerminated,
    MarkTerminating,
    Protect,
    RaiseDesired,
    TagAllocation,
    Terminate,
    Withdraw,
)
from app.domain.boots import boots, conclude_boots
from app.domain.model import (
    TRANSITIONS,
    EndReason,
    Group,
    InstanceId,
    InstanceState,
    Lifecycle,
    Power,
)
from app.domain.plan import Plan, plan
from app.domain.settled import Unsettled
from tests.builders import NOW
from tests.property.worlds import IDS, World, worlds

A = TypeVar("A", bound=Action)
StateChange = Discover | Adopt | MarkIdle | Withdraw | MarkTerminating | MarkTerminated

BOOTING, IDLE = InstanceState.BOOTING, InstanceState.IDLE
ALLOCATED, TERMINATING = InstanceState.ALLOCATED, InstanceState.TERMINATING
READY = st.frozensets(st.sampled_from(IDS))


def decide(world: World) -> Plan:
    rest = Unsettled.of(world.seen, world.known)
    return plan(rest, world.waiting, world.policy, NOW, setbacks=world.setbacks)


def concluded(world: World, ready: frozenset[InstanceId]) -> list[MarkIdle | MarkTerminating]:
    booting = boots(world.seen, world.known)
    failures = world.setbacks.boots
    return list(conclude_boots(booting, world.known, ready, failures, policy=world.policy, now=NOW))


def actions_of(kind: type[A], world: World) -> list[A]:
    return [action for action in decide(world).actions if isinstance(action, kind)]


def move_of(action: StateChange) -> tuple[InstanceState, InstanceState] | None:
    """From which state to which; None for the entry into life, or where nothing is expected."""
    match action:
        case Discover() | Adopt():
            return None
        case MarkIdle(expect=expect):
            return expect, IDLE
        case Withdraw(expect=expect):
            return expect, BOOTING
        case MarkTerminating(expect=expect):
            return expect, TERMINATING
        case MarkTerminated(expect=expect):
            return expect, InstanceState.TERMINATED


def subject_of(action: StateChange) -> InstanceId:
    return action.seen.id if isinstance(action, Discover | Adopt) else action.instance


def state_changes(world: World, ready: frozenset[InstanceId]) -> list[StateChange]:
    planned = [action for action in decide(world).actions if isinstance(action, StateChange)]
    return [*planned, *concluded(world, ready)]


# Total and deterministic


@given(worlds(orderly=False), READY)
def test_any_world_has_a_plan_and_always_the_same_one(world: World, ready: frozenset[InstanceId]) -> None:
    assert decide(world) == decide(world)
    assert concluded(world, ready) == concluded(world, ready)


@given(worlds(orderly=False))
def test_the_order_in_which_things_are_listed_decides_nothing(world: World) -> None:
    turned = replace(
        world,
        seen=replace(world.seen, instances=dict(reversed(list(world.seen.instances.items())))),
        known=dict(reversed(list(world.known.items()))),
    )

    assert set(decide(turned).actions) == set(decide(world).actions)
    assert decide(turned).sizing == decide(world).sizing


# What is in use, and what may be, is safe


@given(worlds(), READY)
def test_no_plan_ends_an_idle_or_an_allocated_instance_whose_time_is_not_over_by_our_decision(
    world: World, ready: frozenset[InstanceId]
) -> None:
    safe = {identity for identity, one in world.known.items() if one.state in {IDLE, ALLOCATED}}

    ended = {action.instance for action in actions_of(Terminate, world)} | {
        action.instance
        for action in state_changes(world, ready)
        if isinstance(action, MarkTerminating | MarkTerminated) and action.reason.ours
    }

    assert not ended & safe


@given(worlds(orderly=False), READY)
def test_what_somebody_holds_is_neither_offered_nor_ended_by_us(
    world: World, ready: frozenset[InstanceId]
) -> None:
    held = {identity for identity, one in world.known.items() if one.held}

    touched = {action.instance for action in concluded(world, ready)}
    touched |= {action.instance for action in actions_of(Terminate, world)}
    decided = {action.instance for action in actions_of(MarkTerminating, world) if action.reason.ours}

    assert held.isdisjoint(touched | decided)


@given(worlds(orderly=False))
def test_only_members_that_we_decided_to_end_are_terminated(world: World) -> None:
    for action in actions_of(Terminate, world):
        record, look = world.known[action.instance], world.seen.instances[action.instance]
        assert record.state is TERMINATING
        assert record.end_reason not in {None, EndReason.LEFT, EndReason.VANISHED}
        assert look.member
        assert not look.leaving


@given(worlds(), READY)
def test_only_what_is_booting_and_serviceable_and_ready_is_offered(
    world: World, ready: frozenset[InstanceId]
) -> None:
    for action in concluded(world, ready):
        assert world.known[action.instance].state is BOOTING
        if isinstance(action, MarkIdle):
            assert action.instance in ready
            assert world.seen.instances[action.instance].serviceable


@given(worlds())
def test_only_a_member_in_use_is_tagged_and_with_its_holder(world: World) -> None:
    for action in actions_of(TagAllocation, world):
        record = world.known[action.instance]
        assert (record.state, record.project) == (ALLOCATED, action.project)
        assert world.seen.instances[action.instance].member


@given(worlds(orderly=False), READY)
def test_what_is_used_by_its_tags_is_never_offered_and_never_ended_by_us(
    world: World, ready: frozenset[InstanceId]
) -> None:
    used = {look.id for look in world.seen.instances.values() if look.holder is not None}

    offered = {action.instance for action in concluded(world, ready)}
    discovered = {action.seen.id for action in actions_of(Discover, world)}

    assert not used & offered
    assert all(world.seen.instances[one].address is None for one in used & discovered)


@given(worlds())
def test_adoption_gives_a_project_one_instance_and_takes_none_from_another(world: World) -> None:
    holders = {one.project for one in world.known.values() if one.state is ALLOCATED}
    given_to = [action.project for action in actions_of(Adopt, world) if action.project is not None]

    assert len(given_to) == len(set(given_to))
    assert holders.isdisjoint(given_to)


@given(worlds(orderly=False))
def test_only_members_in_service_are_protected_and_each_call_takes_fifty(world: World) -> None:
    for action in actions_of(Protect, world):
        assert 0 < len(action.instances) <= 50
        for instance in action.instances:
            assert world.seen.instances[instance].lifecycle is Lifecycle.IN_SERVICE


@given(worlds(orderly=False), READY)
def test_of_a_paused_pool_nothing_is_changed_at_aws_and_no_end_is_decided(
    world: World, ready: frozenset[InstanceId]
) -> None:
    paused = replace(world, policy=replace(world.policy, paused=True))

    assert not any(isinstance(action, Change) for action in decide(paused).actions)
    assert not any(isinstance(action, MarkTerminating) for action in concluded(paused, ready))


# Desired capacity


@given(worlds(orderly=False))
def test_desired_capacity_is_only_ever_raised(world: World) -> None:
    for action in actions_of(RaiseDesired, world):
        assert action.target > action.current
        assert world.seen.group.desired in {None, action.current}


@given(worlds(orderly=False))
def test_a_raise_stays_within_the_groups_bounds(world: World) -> None:
    group = world.seen.group
    for action in actions_of(RaiseDesired, world):
        assert group.max_size is None or action.target <= group.max_size
        assert action.target >= (group.min_size or 0)


@given(worlds(orderly=False))
def test_where_desired_covers_the_need_it_is_not_raised(world: World) -> None:
    group = world.seen.group
    held = sum(one.state is ALLOCATED for one in world.known.values())
    lost = sum(one.state is InstanceState.TERMINATED for one in world.known.values())
    used = sum(look.holder is not None for look in world.seen.staying)
    inspected = sum(one.held for one in world.known.values())
    need = held + world.waiting + world.policy.buffer + lost + used + inspected
    assume(group.desired is not None)
    assert group.desired is not None
    covered = replace(group, desired=max(need, group.min_size or 0, group.desired))

    assert not actions_of(RaiseDesired, replace(world, seen=replace(world.seen, group=covered)))


@given(worlds(orderly=False))
def test_a_plan_that_keeps_the_pool_too_small_says_why(world: World) -> None:
    sizing = decide(world).sizing

    assert sizing.target >= sizing.wanted or sizing.limited_by is not None


# Proof


@given(worlds(complete=False, orderly=False))
def test_an_incomplete_look_changes_nothing_but_by_discovery_and_positive_proof(world: World) -> None:
    for action in decide(world).actions:
        match action:
            case MarkTerminated(instance):
                assert world.seen.instances[instance].power is Power.TERMINATED
            case MarkTerminating(instance):
                assert world.seen.instances[instance].leaving
            case MarkMissing(since=since):
                assert since is None
            case Withdraw():
                raise AssertionError(f"{action} out of an incomplete look")
            case Discover() | Adopt() | Terminate() | Protect() | TagAllocation() | RaiseDesired():
                pass


@given(worlds(complete=False))
def test_an_incomplete_look_that_hides_desired_capacity_raises_nothing(world: World) -> None:
    blind = replace(world.seen, group=Group(desired=None, min_size=None, max_size=None))

    assert not actions_of(RaiseDesired, replace(world, seen=blind))


@given(worlds())
def test_one_look_without_an_instance_is_not_enough_to_give_it_up(world: World) -> None:
    fresh = {identity: replace(one, missing_since=None) for identity, one in world.known.items()}

    for action in actions_of(MarkTerminated, replace(world, known=fresh)):
        assert action.instance in world.seen.instances


# Moves


@given(worlds(), READY)
def test_every_move_is_in_the_table_and_starts_where_the_instance_is(
    world: World, ready: frozenset[InstanceId]
) -> None:
    for action in state_changes(world, ready):
        move = move_of(action)
        if move is None:
            taken = world.known.get(subject_of(action))
            if isinstance(action, Adopt) and taken is not None:
                assert taken.state is ALLOCATED or ALLOCATED in TRANSITIONS[taken.state]
            else:
                assert taken is None
        else:
            before, after = move
            assert world.known[subject_of(action)].state is before
            assert after in TRANSITIONS[before]


@given(worlds(orderly=False))
def test_a_plan_moves_an_instance_at_most_once(world: World) -> None:
    planned = [action for action in decide(world).actions if isinstance(action, StateChange)]

    assert all(times == 1 for times in Counter(map(subject_of, planned)).values())


@given(worlds(orderly=False))
def test_what_a_plan_moves_it_does_not_terminate_in_the_same_breath(world: World) -> None:
    moved = {subject_of(action) for action in decide(world).actions if isinstance(action, StateChange)}

    assert moved.isdisjoint(action.instance for action in actions_of(Terminate, world))
