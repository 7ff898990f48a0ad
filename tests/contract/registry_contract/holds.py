"""Instances that somebody holds for inspection: neither handed out nor ended by us."""

from datetime import timedelta

import pytest

from app.domain.errors import HoldTooLate, InstanceNotFound, PoolExhausted
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, EndReason, Hold, InstanceId, InstanceState, ProjectId
from app.ports import Registry, Unproved
from tests.builders import NOW
from tests.contract.registry_contract.world import (
    ALICE,
    SECOND,
    booting,
    claim,
    end,
    history,
    hold,
    idle,
    known,
    race,
)

MINUTE = timedelta(minutes=1)


class HoldsContract:
    def test_a_hold_is_kept_with_who_made_it_and_why(self, registry: Registry) -> None:
        instance = idle(registry)

        held = hold(registry, instance, SECOND, lasts=MINUTE, reason="its disk is full", actor="somebody")

        assert held.hold == Hold(
            since=NOW + SECOND, by="somebody", until=NOW + MINUTE, reason="its disk is full"
        )
        assert known(registry, instance) == held
        told = history(registry)[-1]
        assert (told.kind, told.actor, told.instance) == (EventKind.INSTANCE_HELD, "somebody", instance)
        assert told.reason == "until 2026-11-22T12:01:00+00:00: its disk is full"

    def test_a_held_idle_instance_is_not_handed_out(self, registry: Registry) -> None:
        hold(registry, idle(registry))
        free = idle(registry, since=SECOND)

        assert claim(registry, ALICE, SECOND).allocation.instance == free
        with pytest.raises(PoolExhausted):
            claim(registry, ProjectId("bob"), SECOND)

    def test_a_held_idle_instance_is_no_candidate_to_be_asked(self, registry: Registry) -> None:
        hold(registry, idle(registry))

        with pytest.raises(PoolExhausted) as refused:
            registry.claim(
                DEFAULT_POOL, ALICE, actor="tester", now=NOW, ready_since=NOW + MINUTE, last_try=False
            )
        assert not isinstance(refused.value, Unproved)

    def test_a_held_idle_instance_is_probed_on(self, registry: Registry) -> None:
        instance = idle(registry)
        hold(registry, instance)
        registry.note_probes([instance], [], now=NOW + MINUTE)

        assert known(registry, instance).ready_at == NOW + MINUTE

    def test_a_held_booting_instance_is_not_offered(self, registry: Registry) -> None:
        instance = booting(registry)
        hold(registry, instance)

        assert not registry.mark_idle(instance, "10.0.0.1", 8080, now=NOW)
        assert known(registry, instance).state is InstanceState.BOOTING

    def test_a_held_instance_is_not_ended_for_a_reason_of_ours(self, registry: Registry) -> None:
        instance = booting(registry)
        hold(registry, instance)

        booted = InstanceState.BOOTING
        assert not end(registry, instance, booted, InstanceState.TERMINATING, EndReason.BOOT_TIMEOUT)
        assert known(registry, instance).state is InstanceState.BOOTING
        assert registry.boot_failures(DEFAULT_POOL) == []

    def test_a_held_idle_instance_can_be_withdrawn_and_is_held_on(self, registry: Registry) -> None:
        instance = idle(registry)
        hold(registry, instance)

        assert registry.withdraw(instance, reason="a reason", now=NOW)
        assert known(registry, instance).state is InstanceState.BOOTING
        assert known(registry, instance).hold is not None

    def test_a_held_instance_stays_with_its_project(self, registry: Registry) -> None:
        instance = idle(registry)
        first = claim(registry, ALICE)
        hold(registry, instance)

        assert claim(registry, ALICE).allocation == first.allocation
        assert history(registry)[-1].project == ALICE

    def test_a_held_instance_that_is_released_may_not_be_terminated_before_the_hold_ends(
        self, registry: Registry
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE)
        hold(registry, instance)
        registry.release(ALICE, actor="tester", now=NOW)
        assert known(registry, instance).state is InstanceState.TERMINATING
        assert known(registry, instance).hold is not None

        assert not registry.note_terminate_call(instance, NOW)
        assert known(registry, instance).terminate_called_at is None
        registry.unhold(instance, actor="tester", now=NOW)
        assert registry.note_terminate_call(instance, NOW)

    def test_a_held_instance_that_is_destroyed_may_not_be_terminated_either(self, registry: Registry) -> None:
        instance = idle(registry)
        hold(registry, instance)

        ending = registry.destroy(instance, actor="tester", now=NOW)

        assert (ending.state, ending.hold is not None) == (InstanceState.TERMINATING, True)
        assert not registry.note_terminate_call(instance, NOW)

    def test_what_is_to_end_can_still_be_held_while_aws_was_not_asked(self, registry: Registry) -> None:
        instance = idle(registry)
        registry.destroy(instance, actor="tester", now=NOW)

        assert hold(registry, instance).hold is not None

    def test_what_aws_was_asked_to_terminate_can_no_longer_be_held(self, registry: Registry) -> None:
        instance = idle(registry)
        registry.destroy(instance, actor="tester", now=NOW)
        registry.note_terminate_call(instance, NOW)

        with pytest.raises(HoldTooLate):
            hold(registry, instance)

        registry.forget_terminate_call(instance, NOW)  # it had no effect
        assert hold(registry, instance).hold is not None

    def test_what_ends_by_no_decision_of_ours_can_not_be_held(self, registry: Registry) -> None:
        instance = idle(registry)
        end(registry, instance, InstanceState.IDLE, InstanceState.TERMINATING, EndReason.LEFT)

        with pytest.raises(HoldTooLate):
            hold(registry, instance)

    def test_of_a_hold_and_a_terminate_call_that_race_one_wins(self, registry: Registry) -> None:
        instances = [idle(registry) for _ in range(12)]
        for instance in instances:
            registry.destroy(instance, actor="tester", now=NOW)

        def hold_or_call(wish: ProjectId) -> bool:
            verb, instance = wish.split("/")
            if verb == "call":
                return registry.note_terminate_call(InstanceId(instance), NOW)
            try:
                hold(registry, InstanceId(instance))
            except HoldTooLate:
                return False
            return True

        wishes = [ProjectId(f"{verb}/{one}") for one in instances for verb in ("hold", "call")]
        done = race(wishes, hold_or_call, threads=4)

        for one in instances:
            assert done[ProjectId(f"hold/{one}")] != done[ProjectId(f"call/{one}")]

    def test_racing_claims_and_holds_never_hand_out_what_is_held(self, registry: Registry) -> None:
        instances = [idle(registry) for _ in range(12)]

        def claim_or_hold(wish: ProjectId) -> InstanceId | None:
            verb, what = wish.split("/")
            if verb == "hold":
                before = hold(registry, InstanceId(what))
                return before.id if before.state is InstanceState.IDLE else None
            try:
                return claim(registry, ProjectId(what)).allocation.instance
            except PoolExhausted:
                return None

        holds = [ProjectId(f"hold/{one}") for one in instances]
        claims = [ProjectId(f"claim/project-{number}") for number in range(12)]
        done = race(
            [one for pair in zip(holds, claims, strict=True) for one in pair], claim_or_hold, threads=4
        )

        held = {done[wish][0] for wish in holds} - {None}
        handed_out = {done[wish][0] for wish in claims} - {None}
        assert held.isdisjoint(handed_out)

    def test_what_is_held_again_is_held_as_asked_now_and_since_before(self, registry: Registry) -> None:
        instance = idle(registry)
        hold(registry, instance, lasts=MINUTE, reason="a reason")

        again = hold(registry, instance, SECOND, actor="another")

        assert again.hold == Hold(since=NOW, by="another")

    def test_what_is_held_so_already_is_left_alone(self, registry: Registry) -> None:
        instance = idle(registry)
        first = hold(registry, instance)
        events = len(history(registry))

        assert hold(registry, instance, SECOND) == first
        assert len(history(registry)) == events

    def test_strangers_and_what_is_gone_can_be_neither_held_nor_let_go(self, registry: Registry) -> None:
        gone = idle(registry)
        end(registry, gone, InstanceState.IDLE, InstanceState.TERMINATED)

        for instance in (gone, InstanceId("i-00000000")):
            with pytest.raises(InstanceNotFound):
                hold(registry, instance)
            with pytest.raises(InstanceNotFound):
                registry.unhold(instance, actor="tester", now=NOW)

    def test_what_is_let_go_can_be_handed_out_again(self, registry: Registry) -> None:
        instance = idle(registry)
        hold(registry, instance)

        assert registry.unhold(instance, actor="somebody", now=NOW).hold is None
        told = history(registry)[-1]
        assert (told.kind, told.actor, told.instance) == (EventKind.INSTANCE_UNHELD, "somebody", instance)
        assert claim(registry, ALICE).allocation.instance == instance

    def test_to_let_go_what_is_not_held_changes_nothing(self, registry: Registry) -> None:
        instance = idle(registry)
        events = len(history(registry))

        assert registry.unhold(instance, actor="tester", now=NOW) == known(registry, instance)
        assert len(history(registry)) == events

    @pytest.mark.parametrize("to", [InstanceState.TERMINATING, InstanceState.TERMINATED])
    def test_a_hold_ends_with_an_instance_that_others_end(
        self, registry: Registry, to: InstanceState
    ) -> None:
        instance = idle(registry)
        hold(registry, instance)

        assert end(registry, instance, InstanceState.IDLE, to, EndReason.LEFT)

        told = history(registry)[-1]
        assert (told.kind, told.reason) == (EventKind.INSTANCE_UNHELD, "left")
        assert all(one.hold is None for one in registry.instances(DEFAULT_POOL).values())
        assert all(one.hold is None for one in registry.terminated([instance]).values())

    def test_a_hold_ends_with_what_we_decided_to_end_once_it_is_gone(self, registry: Registry) -> None:
        instance = idle(registry)
        hold(registry, instance)
        registry.destroy(instance, actor="tester", now=NOW)

        terminating = InstanceState.TERMINATING
        assert end(registry, instance, terminating, InstanceState.TERMINATED, EndReason.DESTROYED)
        assert registry.terminated([instance])[instance].hold is None
