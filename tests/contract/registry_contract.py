"""What every registry promises: see app/ports.py, Registry. Run on each database in test_registry.py."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

import pytest

from app.domain.errors import InstanceNotFound, PoolExhausted
from app.domain.events import Event, EventKind
from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    Group,
    Instance,
    InstanceId,
    InstanceState,
    Limit,
    Notice,
    PoolName,
    PoolView,
    ProjectId,
)
from app.ports import Claimed, Registry
from tests.builders import NOW, a_look

T = TypeVar("T")
SECOND = timedelta(seconds=1)
ALICE, BOB = ProjectId("alice"), ProjectId("bob")


def claim(registry: Registry, project: ProjectId, at: timedelta = timedelta(0)) -> Claimed:
    return registry.claim(DEFAULT_POOL, project, actor="tester", now=NOW + at)


def booting(registry: Registry, pool: PoolName = DEFAULT_POOL) -> InstanceId:
    look = a_look()
    assert registry.discover(pool, look, now=NOW)
    return look.id


def idle(registry: Registry, *, since: timedelta = timedelta(0), pool: PoolName = DEFAULT_POOL) -> InstanceId:
    instance = booting(registry, pool)
    assert registry.mark_idle(instance, "10.0.0.1", 8080, now=NOW + since)
    return instance


def known(registry: Registry, instance: InstanceId) -> Instance:
    return registry.instances(DEFAULT_POOL)[instance]


def history(registry: Registry) -> list[Event]:
    """The audit trail, oldest first."""
    return list(registry.events(limit=1000))[::-1]


class RegistryContract:
    # Claims

    def test_a_claim_hands_out_an_idle_instance(self, registry: Registry) -> None:
        instance = idle(registry)

        claimed = claim(registry, ALICE)

        assert claimed.created
        assert claimed.allocation.instance == instance
        assert claimed.allocation.url == "http://10.0.0.1:8080"
        assert known(registry, instance).state is InstanceState.ALLOCATED
        assert known(registry, instance).project == ALICE

    def test_the_same_project_gets_the_same_instance_again(self, registry: Registry) -> None:
        idle(registry)
        idle(registry)
        first = claim(registry, ALICE)

        again = claim(registry, ALICE)

        assert again == Claimed(first.allocation, created=False)

    def test_the_longest_idle_goes_first(self, registry: Registry) -> None:
        idle(registry, since=2 * SECOND)
        oldest = idle(registry, since=SECOND)

        assert claim(registry, ALICE, 3 * SECOND).allocation.instance == oldest

    def test_only_idle_instances_are_handed_out(self, registry: Registry) -> None:
        booting(registry)
        registry.destroy(idle(registry), actor="tester", now=NOW)

        with pytest.raises(PoolExhausted):
            claim(registry, ALICE)

    def test_a_pool_hands_out_its_own_instances_only(self, registry: Registry) -> None:
        idle(registry, pool=PoolName("other"))

        with pytest.raises(PoolExhausted):
            claim(registry, ALICE)

    def test_racing_claims_never_share_an_instance(self, registry: Registry) -> None:
        for _ in range(100):
            idle(registry)
        projects = [ProjectId(f"project-{number}") for number in range(100)]
        # Each asks twice, and both at about the same time: neither may get a second instance by it.
        asked = [project for project in projects for _ in range(2)]

        held = _race(asked, lambda project: claim(registry, project).allocation.instance, threads=16)

        assert len({held[project][0] for project in projects}) == 100
        assert all(len(set(held[project])) == 1 for project in projects)

    def test_a_race_of_one_project_gives_it_one_instance(self, registry: Registry) -> None:
        for _ in range(16):
            idle(registry)

        held = _race([ALICE] * 16, lambda project: claim(registry, project).allocation.instance, threads=16)

        assert len(set(held[ALICE])) == 1
        states = [instance.state for instance in registry.instances(DEFAULT_POOL).values()]
        assert states.count(InstanceState.IDLE) == 15

    def test_more_racing_claims_than_instances_leave_the_rest_without(self, registry: Registry) -> None:
        for _ in range(5):
            idle(registry)
        projects = [ProjectId(f"project-{number}") for number in range(16)]

        def ask(project: ProjectId) -> InstanceId | None:
            try:
                return claim(registry, project).allocation.instance
            except PoolExhausted:
                return None

        held = _race(projects, ask, threads=16)

        got = [answers[0] for answers in held.values() if answers[0] is not None]
        assert len(got) == len(set(got)) == 5
        assert registry.waiting(DEFAULT_POOL, now=NOW) == 11

    # Waiting

    def test_an_unmet_claim_counts_as_waiting_once_however_often_it_is_repeated(
        self, registry: Registry
    ) -> None:
        for _ in range(3):
            with pytest.raises(PoolExhausted):
                claim(registry, ALICE)

        assert registry.waiting(DEFAULT_POOL, now=NOW) == 1
        assert [event.kind for event in history(registry)] == [EventKind.ALLOCATION_UNMET]

    def test_an_unmet_claim_is_forgotten_after_a_while(self, registry: Registry) -> None:
        with pytest.raises(PoolExhausted):
            claim(registry, ALICE)

        assert registry.waiting(DEFAULT_POOL, now=NOW + 31 * SECOND) == 0

    def test_who_got_an_instance_no_longer_waits(self, registry: Registry) -> None:
        with pytest.raises(PoolExhausted):
            claim(registry, ALICE)
        idle(registry)
        claim(registry, ALICE, SECOND)

        assert registry.waiting(DEFAULT_POOL, now=NOW + SECOND) == 0

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

    def test_the_newest_event_grows_with_each_one(self, registry: Registry) -> None:
        assert registry.newest_event() == 0
        record(registry, "from 0 to 5")
        before = registry.newest_event()
        record(registry, "from 5 to 6")

        assert registry.newest_event() > before > 0

    def test_the_newest_events_come_first_and_not_more_than_asked_for(self, registry: Registry) -> None:
        for number in range(3):
            record(registry, str(number))

        assert [event.reason for event in registry.events(limit=2)] == ["2", "1"]


def record(registry: Registry, reason: str) -> None:
    registry.record(EventKind.CAPACITY_RAISED, DEFAULT_POOL, reason=reason, now=NOW)


def end(
    registry: Registry,
    instance: InstanceId,
    expect: InstanceState,
    to: InstanceState,
    reason: EndReason = EndReason.LEFT,
) -> bool:
    return registry.end(instance, expect=expect, to=to, reason=reason, now=NOW)


def _race(
    projects: list[ProjectId], ask: Callable[[ProjectId], T], *, threads: int
) -> dict[ProjectId, list[T]]:
    """Have all threads start at the same moment, and collect what each project was answered."""
    start = Barrier(threads)

    def run(share: list[ProjectId]) -> list[tuple[ProjectId, T]]:
        start.wait(timeout=30)
        return [(project, ask(project)) for project in share]

    answers: dict[ProjectId, list[T]] = {}
    with ThreadPoolExecutor(threads) as pool:
        for share in pool.map(run, [projects[number::threads] for number in range(threads)]):
            for project, answer in share:
                answers.setdefault(project, []).append(answer)
    return answers
