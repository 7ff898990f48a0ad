"""How allocations and their instances are ended on request."""

from contextlib import suppress
from datetime import timedelta

import pytest

from app.domain.errors import AllocationNotFound, InstanceNotFound
from app.domain.events import EventKind
from app.domain.model import EndReason, InstanceId, InstanceState, ProjectId
from app.ports import Registry
from tests.builders import NOW
from tests.contract.registry_contract.world import (
    ALICE,
    BOB,
    SECOND,
    claim,
    end,
    history,
    idle,
    known,
    race,
)

MINUTE = timedelta(minutes=1)


class EndingsContract:
    # Destroy

    def test_destroy_ends_the_allocation_and_keeps_who_held_it(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE)

        ending = registry.destroy(instance, actor="tester", now=NOW + SECOND)

        assert (ending.state, ending.project) == (InstanceState.TERMINATING, ALICE)
        assert ending.end_reason is EndReason.DESTROYED

    def test_destroy_again_answers_the_same_and_changes_nothing(self, registry: Registry) -> None:
        instance = idle(registry)
        first = registry.destroy(instance, actor="tester", now=NOW)
        events = len(history(registry))

        assert registry.destroy(instance, actor="tester", now=NOW + SECOND) == first
        assert len(history(registry)) == events

    def test_destroy_of_a_stranger_is_refused(self, registry: Registry) -> None:
        with pytest.raises(InstanceNotFound):
            registry.destroy(InstanceId("i-00000000"), actor="tester", now=NOW)

    def test_destroy_of_a_terminated_instance_is_refused(self, registry: Registry) -> None:
        instance = idle(registry)
        end(registry, instance, InstanceState.IDLE, InstanceState.TERMINATED)

        with pytest.raises(InstanceNotFound):
            registry.destroy(instance, actor="tester", now=NOW)

    def test_a_project_whose_instance_was_destroyed_gets_another_one(self, registry: Registry) -> None:
        first = idle(registry)
        claim(registry, ALICE)
        second = idle(registry)
        registry.destroy(first, actor="tester", now=NOW)

        assert claim(registry, ALICE).allocation.instance == second

    # Release

    def test_a_release_ends_the_allocation_and_its_instance(self, registry: Registry) -> None:
        instance = idle(registry)
        held = claim(registry, ALICE, lasts=MINUTE).allocation

        released = registry.release(ALICE, actor="somebody", now=NOW + SECOND)

        assert (released.state, released.instance) == (InstanceState.TERMINATING, instance)
        assert (released.url, released.expires_at) == (held.url, held.expires_at)
        ending = known(registry, instance)
        assert (ending.state, ending.end_reason) == (InstanceState.TERMINATING, EndReason.RELEASED)
        assert [(line.kind, line.actor, line.project, line.reason) for line in history(registry)[-2:]] == [
            (EventKind.ALLOCATION_ENDED, "somebody", ALICE, "released"),
            (EventKind.INSTANCE_TERMINATING, "somebody", ALICE, "released"),
        ]

    def test_a_release_of_nothing_is_refused(self, registry: Registry) -> None:
        idle(registry)

        with pytest.raises(AllocationNotFound):
            registry.release(ALICE, actor="tester", now=NOW)

    def test_a_second_release_is_refused_and_changes_nothing(self, registry: Registry) -> None:
        idle(registry)
        claim(registry, ALICE)
        registry.release(ALICE, actor="tester", now=NOW)
        events = len(history(registry))

        with pytest.raises(AllocationNotFound):
            registry.release(ALICE, actor="tester", now=NOW + SECOND)
        assert len(history(registry)) == events

    def test_a_project_that_released_its_instance_gets_another_one(self, registry: Registry) -> None:
        first, second = idle(registry), idle(registry, since=SECOND)
        claim(registry, ALICE, SECOND)
        registry.release(ALICE, actor="tester", now=NOW + SECOND)

        assert known(registry, first).state is InstanceState.TERMINATING
        assert claim(registry, ALICE, SECOND).allocation.instance == second

    def test_a_race_of_releases_ends_one_allocation_once(self, registry: Registry) -> None:
        for _ in range(3):
            idle(registry)
        claim(registry, ALICE)

        def release(project: ProjectId) -> bool:
            try:
                registry.release(project, actor="tester", now=NOW)
            except AllocationNotFound:
                return False
            return True

        assert race([ALICE] * 8, release, threads=8)[ALICE].count(True) == 1
        assert [line.kind for line in history(registry)].count(EventKind.ALLOCATION_ENDED) == 1

    def test_racing_claims_and_releases_of_a_project_never_give_it_two(self, registry: Registry) -> None:
        for _ in range(40):
            idle(registry)

        def claim_and_release(project: ProjectId) -> InstanceId:
            instance = claim(registry, project).allocation.instance
            with suppress(AllocationNotFound):  # somebody else did it, who got the same one
                registry.release(project, actor="tester", now=NOW)
            return instance

        race([ALICE, BOB] * 8, claim_and_release, threads=8)

        kinds = [(line.project, line.kind) for line in history(registry)]
        for project in (ALICE, BOB):
            turns = [
                kind
                for whose, kind in kinds
                if whose == project and kind in {EventKind.ALLOCATION_CREATED, EventKind.ALLOCATION_ENDED}
            ]
            assert turns == [EventKind.ALLOCATION_CREATED, EventKind.ALLOCATION_ENDED] * (len(turns) // 2)
