"""How allocations and their instances end, and how long they last."""

from contextlib import suppress
from datetime import timedelta

import pytest

from app.domain.errors import AllocationNotFound, InstanceNotFound, PoolExhausted
from app.domain.events import EventKind
from app.domain.model import EndReason, InstanceId, InstanceState, ProjectId
from app.ports import Claimed, Registry
from tests.builders import NOW
from tests.contract.registry_contract.world import (
    ALICE,
    BOB,
    SECOND,
    claim,
    end,
    history,
    hold,
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

    # Time limits

    def test_an_allocation_has_no_time_limit_unless_one_is_asked_for(self, registry: Registry) -> None:
        instance = idle(registry)

        assert claim(registry, ALICE).allocation.expires_at is None
        assert known(registry, instance).expires_at is None

    def test_a_time_limit_is_kept_with_the_allocation(self, registry: Registry) -> None:
        instance = idle(registry)

        assert claim(registry, ALICE, lasts=MINUTE).allocation.expires_at == NOW + MINUTE
        assert known(registry, instance).expires_at == NOW + MINUTE

    def test_who_asks_again_gets_what_he_holds_with_the_limit_that_it_has(self, registry: Registry) -> None:
        idle(registry)
        first = claim(registry, ALICE, lasts=MINUTE)

        assert claim(registry, ALICE, lasts=2 * MINUTE) == Claimed(first.allocation, created=False)

    def test_a_renewal_moves_the_end_and_is_told(self, registry: Registry) -> None:
        instance = idle(registry)
        held = claim(registry, ALICE, lasts=MINUTE).allocation

        renewed = registry.renew(ALICE, NOW + 2 * MINUTE, actor="somebody", now=NOW)

        assert renewed.expires_at == known(registry, instance).expires_at == NOW + 2 * MINUTE
        assert (renewed.instance, renewed.url, renewed.state) == (held.instance, held.url, held.state)
        assert claim(registry, ALICE).allocation == renewed
        told = history(registry)[-1]
        assert (told.kind, told.actor, told.project) == (EventKind.ALLOCATION_RENEWED, "somebody", ALICE)
        assert told.reason == "until 2026-11-22T12:02:00+00:00"

    def test_a_renewal_can_take_the_limit_away(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=MINUTE)

        assert registry.renew(ALICE, None, actor="tester", now=NOW).expires_at is None
        assert known(registry, instance).expires_at is None
        assert history(registry)[-1].reason == "without a time limit"

    def test_a_renewal_that_changes_nothing_is_not_told(self, registry: Registry) -> None:
        idle(registry)
        claim(registry, ALICE, lasts=MINUTE)
        events = len(history(registry))

        assert registry.renew(ALICE, NOW + MINUTE, actor="tester", now=NOW).expires_at == NOW + MINUTE
        assert len(history(registry)) == events

    def test_a_renewal_of_nothing_is_refused(self, registry: Registry) -> None:
        idle(registry)
        claim(registry, ALICE)
        registry.release(ALICE, actor="tester", now=NOW)

        for project in (ALICE, BOB):
            with pytest.raises(AllocationNotFound):
                registry.renew(project, NOW + MINUTE, actor="tester", now=NOW)

    def test_what_is_over_expires_once_and_its_instance_ends(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=MINUTE)

        assert registry.expire(instance, now=NOW + MINUTE)
        assert not registry.expire(instance, now=NOW + MINUTE)

        ending = known(registry, instance)
        assert (ending.state, ending.end_reason) == (InstanceState.TERMINATING, EndReason.EXPIRED)
        assert [(line.kind, line.actor, line.project, line.reason) for line in history(registry)[-2:]] == [
            (EventKind.ALLOCATION_ENDED, "poller", ALICE, "expired"),
            (EventKind.INSTANCE_TERMINATING, "poller", ALICE, "expired"),
        ]
        with pytest.raises(PoolExhausted):
            claim(registry, ALICE)

    def test_what_is_not_over_or_has_no_limit_does_not_expire(self, registry: Registry) -> None:
        limited, unlimited = idle(registry), idle(registry, since=SECOND)
        claim(registry, ALICE, SECOND, lasts=MINUTE)
        claim(registry, BOB, SECOND)

        assert not registry.expire(limited, now=NOW + MINUTE)
        assert not registry.expire(unlimited, now=NOW + 1000 * MINUTE)

    def test_what_was_renewed_first_does_not_expire(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=MINUTE)
        registry.renew(ALICE, NOW + 3 * MINUTE, actor="tester", now=NOW + 2 * MINUTE)

        assert not registry.expire(instance, now=NOW + 2 * MINUTE)
        assert known(registry, instance).state is InstanceState.ALLOCATED

    def test_of_a_renewal_and_an_expiry_that_race_one_wins(self, registry: Registry) -> None:
        projects = [ProjectId(f"project-{number}") for number in range(12)]
        for _ in projects:
            idle(registry)
        instances = {
            project: claim(registry, project, lasts=MINUTE).allocation.instance for project in projects
        }

        def renew_or_expire(wish: ProjectId) -> bool:
            verb, project = wish.split("/")
            if verb == "expire":
                return registry.expire(instances[ProjectId(project)], now=NOW + MINUTE)
            try:
                registry.renew(ProjectId(project), NOW + 2 * MINUTE, actor="tester", now=NOW + MINUTE)
            except AllocationNotFound:
                return False
            return True

        wishes = [ProjectId(f"{verb}/{project}") for project in projects for verb in ("renew", "expire")]
        done = race(wishes, renew_or_expire, threads=4)

        for project in projects:
            renewed, expired = done[ProjectId(f"renew/{project}")][0], done[ProjectId(f"expire/{project}")][0]
            assert renewed is not expired
            state = known(registry, instances[project]).state
            assert state is (InstanceState.ALLOCATED if renewed else InstanceState.TERMINATING)

    def test_what_nobody_holds_or_nobody_knows_does_not_expire(self, registry: Registry) -> None:
        assert not registry.expire(idle(registry), now=NOW)
        assert not registry.expire(InstanceId("i-00000000"), now=NOW)

    def test_what_is_held_for_inspection_does_not_expire(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=MINUTE)
        hold(registry, instance)

        assert not registry.expire(instance, now=NOW + MINUTE)
        registry.unhold(instance, actor="tester", now=NOW + MINUTE)
        assert registry.expire(instance, now=NOW + MINUTE)
