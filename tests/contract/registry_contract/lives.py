"""The life of an instance, and what is told of it."""

import pytest

from app.domain.errors import PoolExhausted
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, EndReason, Group, InstanceState, Limit, Notice, PoolView
from app.ports import Registry
from tests.builders import NOW, a_look
from tests.contract.registry_contract.world import ALICE, SECOND, claim, end, history, idle, known, record


class LivesContract:
    # The life of an instance

    def test_a_discovered_instance_is_booting(self, registry: Registry) -> None:
        look = a_look(zone="eu-west-1b")
        registry.discover(DEFAULT_POOL, look, now=NOW)

        found = known(registry, look.id)
        assert (found.state, found.state_since) == (InstanceState.BOOTING, NOW)
        assert (found.zone, found.launched_at) == ("eu-west-1b", look.launched_at)

    def test_an_id_is_discovered_once_even_when_it_is_terminated(self, registry: Registry) -> None:
        look = a_look()
        registry.discover(DEFAULT_POOL, look, now=NOW)
        end(registry, look.id, InstanceState.BOOTING, InstanceState.TERMINATED)

        assert not registry.discover(DEFAULT_POOL, look, now=NOW)
        assert look.id not in registry.instances(DEFAULT_POOL)

    def test_an_instance_is_offered_only_out_of_booting(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE)

        assert not registry.mark_idle(instance, "10.0.0.9", 8080, now=NOW)
        assert known(registry, instance).address == "10.0.0.1"

    def test_a_withdrawn_instance_is_not_handed_out(self, registry: Registry) -> None:
        instance = idle(registry)
        assert registry.withdraw(instance, reason="a reason", now=NOW)

        assert known(registry, instance).state is InstanceState.BOOTING
        with pytest.raises(PoolExhausted):
            claim(registry, ALICE)

    def test_an_instance_that_was_claimed_meanwhile_is_not_withdrawn(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE)

        assert not registry.withdraw(instance, reason="a reason", now=NOW)
        assert known(registry, instance).project == ALICE

    def test_an_end_that_expected_another_state_changes_nothing(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE)

        assert not end(registry, instance, InstanceState.IDLE, InstanceState.TERMINATING)
        assert known(registry, instance).state is InstanceState.ALLOCATED

    def test_a_transition_that_is_not_in_the_table_is_refused(self, registry: Registry) -> None:
        instance = idle(registry)
        end(registry, instance, InstanceState.IDLE, InstanceState.TERMINATING)

        with pytest.raises(ValueError, match="no transition"):
            end(registry, instance, InstanceState.TERMINATING, InstanceState.IDLE)

    def test_a_lost_instance_ends_its_allocation_with_an_event(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE)
        end(registry, instance, InstanceState.ALLOCATED, InstanceState.TERMINATED, EndReason.LEFT)

        lost = [event for event in history(registry) if event.kind is EventKind.ALLOCATION_LOST]
        assert [(event.instance, event.project, event.reason) for event in lost] == [
            (instance, ALICE, "left")
        ]
        idle(registry)
        assert claim(registry, ALICE).allocation.instance != instance

    def test_the_notes_of_a_pass_are_kept(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE)
        registry.mark_in_service(instance, NOW)
        registry.mark_missing(instance, NOW)
        registry.mark_tagged(instance, ALICE)
        assert known(registry, instance).in_service_since == NOW
        assert known(registry, instance).missing_since == NOW
        assert known(registry, instance).tagged

        registry.mark_missing(instance, None)
        assert known(registry, instance).missing_since is None

    def test_a_terminate_call_is_noted_and_taken_back(self, registry: Registry) -> None:
        instance = idle(registry)
        registry.destroy(instance, actor="tester", now=NOW)
        registry.note_terminate_call(instance, NOW)
        assert known(registry, instance).terminate_called_at == NOW

        registry.forget_terminate_call(instance, NOW)
        assert known(registry, instance).terminate_called_at is None

    def test_a_terminate_call_that_somebody_noted_later_is_not_taken_back(self, registry: Registry) -> None:
        instance = idle(registry)
        registry.destroy(instance, actor="tester", now=NOW)
        registry.note_terminate_call(instance, NOW)
        registry.note_terminate_call(instance, NOW + SECOND)

        registry.forget_terminate_call(instance, NOW)

        assert known(registry, instance).terminate_called_at == NOW + SECOND

    # The view and the audit trail

    def test_a_view_is_empty_before_the_first_pass(self, registry: Registry) -> None:
        assert registry.view(DEFAULT_POOL) == PoolView(pool=DEFAULT_POOL)

    def test_the_newest_view_is_kept_whole(self, registry: Registry) -> None:
        registry.record_view(PoolView(pool=DEFAULT_POOL, last_pass_at=NOW))
        newest = PoolView(
            pool=DEFAULT_POOL,
            group=Group(desired=5, min_size=0, max_size=20),
            limited_by=Limit.MAX_SIZE,
            notices=(Notice(code="a-code", detail="a sentence"),),
            last_pass_at=NOW + SECOND,
            last_attempt_at=NOW + SECOND,
        )
        registry.record_view(newest)

        assert registry.view(DEFAULT_POOL) == newest

    def test_the_audit_trail_tells_who_did_what_to_which_and_why(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE)
        registry.destroy(instance, actor="somebody", now=NOW)
        end(registry, instance, InstanceState.TERMINATING, InstanceState.TERMINATED, EndReason.DESTROYED)

        told = [(event.kind, event.actor, event.project, event.reason) for event in history(registry)]
        assert told == [
            (EventKind.INSTANCE_DISCOVERED, "poller", None, None),
            (EventKind.INSTANCE_IDLE, "poller", None, None),
            (EventKind.ALLOCATION_CREATED, "tester", ALICE, None),
            (EventKind.ALLOCATION_ENDED, "somebody", ALICE, "destroyed"),
            (EventKind.INSTANCE_TERMINATING, "somebody", ALICE, "destroyed"),
            (EventKind.INSTANCE_TERMINATED, "poller", None, "destroyed"),
        ]

    def test_the_newest_events_come_first_and_not_more_than_asked_for(self, registry: Registry) -> None:
        for number in range(3):
            record(registry, str(number))

        assert [event.reason for event in registry.events(limit=2)] == ["2", "1"]
