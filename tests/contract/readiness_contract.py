"""What every registry promises of probes, boot failures and adoption: see app/ports/registry.py."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.errors import PoolExhausted
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, EndReason, InstanceId, InstanceState, ProjectId
from app.domain.setbacks import BootFailures
from app.ports import Claimed, Registry, Unproved
from tests.builders import NOW, a_look
from tests.contract.registry_contract import ALICE, BOB, SECOND, booting, claim, end, history, idle, known

MINUTE = timedelta(minutes=1)


def claim_a_proved_one(registry: Registry, project: ProjectId = ALICE, *, last_try: bool = False) -> Claimed:
    """Claim a minute after all was marked idle, and accept only what was found ready since."""
    return registry.claim(
        DEFAULT_POOL,
        project,
        actor="tester",
        now=NOW + MINUTE,
        ready_since=NOW + 2 * SECOND,
        last_try=last_try,
    )


def adopt(registry: Registry, instance: InstanceId, project: ProjectId | None) -> bool:
    look = a_look(id=instance, address="10.0.0.5")
    return registry.adopt(DEFAULT_POOL, look, project, port=8080, since=NOW - MINUTE, now=NOW)


class ReadinessContract:
    # Probes

    def test_of_the_idle_those_found_ready_lately_are_given(self, registry: Registry) -> None:
        idle(registry)
        proved = idle(registry, since=SECOND)
        registry.note_probes([proved], [], now=NOW + 2 * SECOND)

        assert claim_a_proved_one(registry).allocation.instance == proved

    def test_where_none_was_found_ready_lately_the_longest_idle_are_named_and_nothing_changes(
        self, registry: Registry
    ) -> None:
        second, first = idle(registry, since=SECOND), idle(registry)
        before, events = registry.instances(DEFAULT_POOL), history(registry)

        with pytest.raises(Unproved) as doubt:
            claim_a_proved_one(registry)

        assert list(doubt.value.candidates.items()) == [
            (first, ("10.0.0.1", 8080)),
            (second, ("10.0.0.1", 8080)),
        ]
        assert registry.instances(DEFAULT_POOL) == before
        assert history(registry) == events
        assert registry.waiting(DEFAULT_POOL, now=NOW + MINUTE) == 0

    def test_the_last_try_ends_in_waiting(self, registry: Registry) -> None:
        idle(registry)

        with pytest.raises(PoolExhausted) as refused:
            claim_a_proved_one(registry, last_try=True)

        assert not isinstance(refused.value, Unproved)
        assert registry.waiting(DEFAULT_POOL, now=NOW + MINUTE) == 1

    def test_an_empty_pool_is_exhausted_at_the_first_try(self, registry: Registry) -> None:
        with pytest.raises(PoolExhausted) as refused:
            claim_a_proved_one(registry)

        assert not isinstance(refused.value, Unproved)

    def test_what_did_not_answer_is_named_last_and_not_given(self, registry: Registry) -> None:
        silent, other = idle(registry), idle(registry, since=SECOND)
        registry.note_probes([], [silent], now=NOW + MINUTE)

        with pytest.raises(Unproved) as doubt:
            claim_a_proved_one(registry)

        assert list(doubt.value.candidates) == [other, silent]

    def test_a_held_instance_is_given_again_however_old_its_probe(self, registry: Registry) -> None:
        idle(registry)
        first = claim(registry, ALICE)

        assert claim_a_proved_one(registry).allocation == first.allocation

    def test_what_becomes_idle_was_just_found_ready(self, registry: Registry) -> None:
        instance = idle(registry, since=2 * SECOND)

        assert claim_a_proved_one(registry).allocation.instance == instance

    def test_probes_are_noted_of_idle_instances_alone(self, registry: Registry) -> None:
        held = idle(registry)
        claim(registry, ALICE)
        registry.note_probes([], [held], now=NOW + SECOND)

        assert known(registry, held).ready_at == NOW

    def test_a_withdrawn_instance_is_not_known_to_be_ready(self, registry: Registry) -> None:
        instance = idle(registry)
        registry.withdraw(instance, reason="a reason", now=NOW)

        assert known(registry, instance).ready_at is None
        assert history(registry)[-1].reason == "a reason"

    def test_very_many_probes_are_noted(self, registry: Registry) -> None:
        instance = idle(registry)
        strangers = [InstanceId(f"i-{number:017x}") for number in range(2000)]
        registry.note_probes([*strangers, instance], [], now=NOW + SECOND)

        assert known(registry, instance).ready_at == NOW + SECOND

    def test_only_the_states_asked_for_are_listed(self, registry: Registry) -> None:
        new, ready = booting(registry), idle(registry)

        assert set(registry.instances(DEFAULT_POOL, {InstanceState.IDLE})) == {ready}
        assert set(registry.instances(DEFAULT_POOL)) == {new, ready}

    # Boot failures

    def test_boot_failures_in_a_row_are_counted_for_each_template(self, registry: Registry) -> None:
        for _ in range(2):
            last = self.fails(registry, "lt-1:1")
        other = self.fails(registry, "lt-1:2")

        assert {row.template: row for row in registry.boot_failures(DEFAULT_POOL)} == {
            "lt-1:1": BootFailures(count=2, template="lt-1:1", last=last, last_at=NOW),
            "lt-1:2": BootFailures(count=1, template="lt-1:2", last=other, last_at=NOW),
        }

    def test_one_that_becomes_ready_ends_the_row_of_its_template(self, registry: Registry) -> None:
        self.fails(registry, "lt-1:1")
        self.fails(registry, "lt-1:2")
        look = a_look(template="lt-1:1")
        registry.discover(DEFAULT_POOL, look, now=NOW)
        registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)

        assert [row.template for row in registry.boot_failures(DEFAULT_POOL)] == ["lt-1:2"]

    def test_one_that_was_withdrawn_and_comes_back_proves_nothing_new(self, registry: Registry) -> None:
        instance = idle(registry)
        registry.withdraw(instance, reason="a reason", now=NOW)
        self.fails(registry, None)

        registry.mark_idle(instance, "10.0.0.1", 8080, now=NOW)

        assert [row.count for row in registry.boot_failures(DEFAULT_POOL)] == [1]

    def test_one_that_leaves_from_service_before_it_was_ready_is_a_failure(self, registry: Registry) -> None:
        instance = booting(registry)
        registry.mark_in_service(instance, NOW)
        end(registry, instance, InstanceState.BOOTING, InstanceState.TERMINATED, EndReason.LEFT)

        assert [row.count for row in registry.boot_failures(DEFAULT_POOL)] == [1]

    def test_one_that_somebody_ends_while_it_is_launched_is_none(self, registry: Registry) -> None:
        end(registry, booting(registry), InstanceState.BOOTING, InstanceState.TERMINATED, EndReason.LEFT)

        assert registry.boot_failures(DEFAULT_POOL) == []

    def test_what_somebody_destroys_while_it_boots_is_no_failure(self, registry: Registry) -> None:
        registry.destroy(booting(registry), actor="tester", now=NOW)

        assert registry.boot_failures(DEFAULT_POOL) == []

    def fails(self, registry: Registry, template: str | None) -> InstanceId:
        look = a_look(template=template)
        registry.discover(DEFAULT_POOL, look, now=NOW)
        assert end(
            registry,
            look.id,
            InstanceState.BOOTING,
            InstanceState.TERMINATING,
            EndReason.BOOT_TIMEOUT,
        )
        return look.id

    # Adoption

    def test_an_unknown_instance_is_adopted_and_its_project_holds_it(self, registry: Registry) -> None:
        look = a_look()
        assert adopt(registry, look.id, ALICE)

        claimed = claim(registry, ALICE)
        assert not claimed.created
        assert (claimed.allocation.instance, claimed.allocation.url) == (look.id, "http://10.0.0.5:8080")
        assert claimed.allocation.allocated_at == NOW - MINUTE
        assert known(registry, look.id).tagged
        assert [event.kind for event in history(registry)] == [
            EventKind.INSTANCE_DISCOVERED,
            EventKind.ALLOCATION_ADOPTED,
        ]

    def test_an_adopted_allocation_has_no_time_limit(self, registry: Registry) -> None:
        adopt(registry, a_look().id, ALICE)

        assert claim(registry, ALICE).allocation.expires_at is None

    def test_booting_and_idle_instances_are_adopted(self, registry: Registry) -> None:
        new, ready = booting(registry), idle(registry)

        assert adopt(registry, new, ALICE)
        assert adopt(registry, ready, BOB)
        assert claim(registry, ALICE).allocation.instance == new
        assert claim(registry, BOB).allocation.instance == ready

    def test_what_somebody_holds_is_not_adopted(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE)

        assert not adopt(registry, instance, BOB)
        assert known(registry, instance).project == ALICE

    def test_a_project_that_holds_one_adopts_no_second(self, registry: Registry) -> None:
        held, other = idle(registry), booting(registry)
        claim(registry, ALICE)

        assert not adopt(registry, other, ALICE)
        assert known(registry, other).state is InstanceState.BOOTING
        assert claim(registry, ALICE).allocation.instance == held

    @pytest.mark.parametrize("state", [InstanceState.TERMINATING, InstanceState.TERMINATED])
    def test_what_is_going_or_gone_is_not_adopted(self, registry: Registry, state: InstanceState) -> None:
        instance = idle(registry)
        end(registry, instance, InstanceState.IDLE, state)

        assert not adopt(registry, instance, ALICE)

    def test_an_instance_without_an_address_is_not_adopted(self, registry: Registry) -> None:
        look = replace(a_look(), address=None)

        assert not registry.adopt(DEFAULT_POOL, look, ALICE, port=8080, since=NOW, now=NOW)
        assert look.id not in registry.instances(DEFAULT_POOL)

    def test_an_instance_used_by_nobody_we_know_is_kept_from_everybody(self, registry: Registry) -> None:
        instance = idle(registry)
        assert adopt(registry, instance, None)

        assert known(registry, instance).state is InstanceState.ALLOCATED
        assert known(registry, instance).project is None
        with pytest.raises(PoolExhausted):
            claim(registry, ALICE)

    def test_it_can_be_given_to_its_project_later_and_is_not_adopted_twice(self, registry: Registry) -> None:
        instance = idle(registry)
        adopt(registry, instance, None)

        assert not adopt(registry, instance, None)
        assert adopt(registry, instance, ALICE)
        assert claim(registry, ALICE).allocation.instance == instance

    def test_it_can_be_destroyed(self, registry: Registry) -> None:
        instance = idle(registry)
        adopt(registry, instance, None)

        assert registry.destroy(instance, actor="tester", now=NOW).state is InstanceState.TERMINATING

    def test_a_project_that_waited_waits_no_longer(self, registry: Registry) -> None:
        with pytest.raises(PoolExhausted):
            claim(registry, ALICE)
        adopt(registry, a_look().id, ALICE)

        assert registry.waiting(DEFAULT_POOL, now=NOW) == 0
