"""Who gets which instance, and who waits."""

import pytest

from app.domain.errors import PoolExhausted
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, PoolName, ProjectId
from app.ports import Claimed, Registry
from tests.builders import NOW
from tests.contract.registry_contract.world import ALICE, SECOND, booting, claim, history, idle, known, race


class ClaimsContract:
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

        held = race(asked, lambda project: claim(registry, project).allocation.instance, threads=16)

        assert len({held[project][0] for project in projects}) == 100
        assert all(len(set(held[project])) == 1 for project in projects)

    def test_arace_of_one_project_gives_it_one_instance(self, registry: Registry) -> None:
        for _ in range(16):
            idle(registry)

        held = race([ALICE] * 16, lambda project: claim(registry, project).allocation.instance, threads=16)

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

        held = race(projects, ask, threads=16)

        got = [answers[0] for answers in held.values() if answers[0] is not None]
        assert len(got) == len(set(got)) == 5
        assert registry.waiting(DEFAULT_POOL, now=NOW) == 11

    # Waiting

    def test_a_project_waits_in_the_pool_that_it_asked_last(self, registry: Registry) -> None:
        gpu = PoolName("gpu")
        for pool in (DEFAULT_POOL, gpu):
            with pytest.raises(PoolExhausted):
                registry.claim(pool, ALICE, actor="tester", now=NOW)

        assert registry.waiting(DEFAULT_POOL, now=NOW) == 0
        assert registry.waiting(gpu, now=NOW) == 1

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
