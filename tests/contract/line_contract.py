"""The promises of the Line port, and those of Registry.claim to who stands in one."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from app.domain.errors import AllocationNotFound, PoolExhausted
from app.domain.events import EventKind
from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    InstanceId,
    InstanceState,
    Limit,
    PoolName,
    PoolView,
    ProjectId,
)
from app.ports import Claimed, Line, Registry, RequestId, Standing
from tests.builders import NOW, a_look
from tests.contract.registry_contract.world import ALICE, BOB, booting, known, race
from tests.fakes import FakeClock

CAROL, DAVE = ProjectId("carol"), ProjectId("dave")
GPU = PoolName("gpu")
LATELY = timedelta(seconds=45)
A, B, C, D = (RequestId(name) for name in "ABCD")


class Lines:
    """A registry with its lines, and the clock of the database."""

    def __init__(self, line: Line, registry: Registry, clock: FakeClock) -> None:
        self.line = line
        self.registry = registry
        self.clock = clock

    def enter(self, *those: tuple[ProjectId, RequestId], pool: PoolName = DEFAULT_POOL) -> None:
        for project, request in those:
            self.line.enter(pool, project, request)

    def look(self, pool: PoolName = DEFAULT_POOL, **those: ProjectId) -> Standing:
        """Look for requests by their names."""
        requests = {RequestId(name): project for name, project in those.items()}
        return self.line.look(pool, requests, ready_since=self.clock.now() - LATELY)

    def ahead(self, pool: PoolName = DEFAULT_POOL, **those: ProjectId) -> dict[RequestId, int]:
        return dict(self.look(pool, **those).ahead)

    def claim(
        self, project: ProjectId, request: RequestId | None = None, *, pool: PoolName = DEFAULT_POOL
    ) -> Claimed:
        now = self.clock.now()
        return self.registry.claim(
            pool, project, actor="tester", now=now, ready_since=now - LATELY, request=request
        )

    def gets(self, project: ProjectId, pool: PoolName = DEFAULT_POOL) -> bool:
        try:
            return self.claim(project, pool=pool).created
        except PoolExhausted:
            return False

    def idle(self, pool: PoolName = DEFAULT_POOL) -> InstanceId:
        look = a_look()
        self.registry.discover(pool, look, now=self.clock.now())
        assert self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=self.clock.now())
        return look.id

    def launched(self, took: float, pool: PoolName = DEFAULT_POOL) -> None:
        """Have an instance become ready so long after its launch."""
        look = a_look(launched_at=self.clock.now())
        self.registry.discover(pool, look, now=self.clock.now())
        self.clock.advance(took)
        assert self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=self.clock.now())

    def waiting(self, pool: PoolName = DEFAULT_POOL) -> int:
        return self.registry.waiting(pool, now=self.clock.now())

    def measured(self) -> Sequence[timedelta]:
        return self.line.prospect(DEFAULT_POOL, ready_since=self.clock.now() - LATELY).measured


class LineContract:
    # Places

    def test_who_came_first_stands_first(self, lines: Lines) -> None:
        lines.enter((BOB, B), (ALICE, A), (CAROL, C))

        assert lines.ahead(A=ALICE, B=BOB, C=CAROL) == {B: 0, A: 1, C: 2}

    def test_each_pool_has_a_line_of_its_own(self, lines: Lines) -> None:
        lines.enter((BOB, B))
        lines.enter((ALICE, A), pool=GPU)

        assert lines.ahead(GPU, A=ALICE) == {A: 0}

    def test_a_newer_request_of_a_project_stands_where_the_older_stood(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B), (ALICE, C))

        found = lines.look(A=ALICE, B=BOB, C=ALICE)

        assert found.ahead == {C: 0, B: 1}
        assert set(found.replaced) == {A}

    def test_in_another_line_a_newer_request_stands_last_and_has_no_other_place(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.enter((BOB, B), (ALICE, C), pool=GPU)

        assert lines.ahead(GPU, B=BOB, C=ALICE) == {B: 0, C: 1}
        assert set(lines.look(A=ALICE).replaced) == {A}

    def test_who_yields_gets_no_place_that_another_request_of_the_project_has(self, lines: Lines) -> None:
        lines.enter((ALICE, C))

        lines.line.enter(GPU, ALICE, A, yielding=True)

        assert lines.ahead(C=ALICE) == {C: 0}
        assert set(lines.look(GPU, A=ALICE).replaced) == {A}

    def test_who_yields_gets_a_place_at_the_end_where_the_project_has_none(self, lines: Lines) -> None:
        lines.enter((BOB, B))

        lines.line.enter(DEFAULT_POOL, ALICE, A, yielding=True)

        assert lines.ahead(A=ALICE) == {A: 1}

    def test_who_left_stands_in_nobodys_way(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))

        lines.line.leave([A], demand=True)

        found = lines.look(A=ALICE, B=BOB)
        assert found.ahead == {B: 0}
        assert set(found.replaced) == set()

    def test_an_older_request_that_leaves_takes_nothing_from_the_newer(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (ALICE, B))

        lines.line.leave([A], demand=True)

        assert lines.ahead(B=ALICE) == {B: 0}

    def test_who_leaves_with_demand_counts_as_waiting_all_the_same(self, lines: Lines) -> None:
        assert not lines.gets(ALICE)
        lines.enter((ALICE, A))

        lines.line.leave([A], demand=True)

        assert lines.waiting() == 1

    def test_who_leaves_without_demand_does_not_count_any_longer(self, lines: Lines) -> None:
        assert not lines.gets(ALICE)
        lines.enter((ALICE, A))

        lines.line.leave([A], demand=False)

        assert lines.waiting() == 0

    def test_an_older_request_that_leaves_ends_no_demand_of_the_newer(self, lines: Lines) -> None:
        assert not lines.gets(ALICE)
        lines.enter((ALICE, A), (ALICE, B))

        lines.line.leave([A], demand=False)

        assert lines.waiting() == 1

    # Time

    def test_a_place_of_which_nobody_says_anything_is_lost_after_three_seconds(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.clock.advance(2)
        lines.look(B=BOB)
        lines.clock.advance(1.5)

        assert lines.ahead(A=ALICE, B=BOB) == {B: 0}

    def test_a_place_lasts_as_long_as_somebody_looks(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        for _ in range(20):
            lines.clock.advance(0.9)
            lines.look(A=ALICE)

        assert lines.ahead(A=ALICE) == {A: 0}

    def test_who_lost_a_place_stands_last_when_it_comes_back(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.clock.advance(4)
        lines.enter((BOB, B))

        lines.line.enter(DEFAULT_POOL, ALICE, A, yielding=True)

        assert lines.ahead(A=ALICE, B=BOB) == {B: 0, A: 1}

    def test_a_newer_request_does_not_take_over_what_is_lost(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.clock.advance(4)

        lines.enter((BOB, B), (ALICE, C))

        assert lines.ahead(B=BOB, C=ALICE) == {B: 0, C: 1}

    # Claims

    def test_who_has_just_come_gets_nothing_that_is_for_who_waits(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.idle()

        assert not lines.gets(BOB)
        assert lines.gets(ALICE)

    def test_who_has_just_come_gets_what_is_left(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.idle()
        lines.idle()

        assert lines.gets(BOB)
        assert lines.gets(ALICE)

    def test_who_stands_second_gets_the_second(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.idle()
        assert not lines.gets(BOB)
        lines.idle()

        assert lines.gets(BOB)
        assert lines.gets(ALICE)

    def test_what_did_not_answer_lately_is_not_counted(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.idle()
        lines.clock.advance(60)
        lines.enter((ALICE, A))
        lines.idle()

        assert not lines.gets(BOB)

    def test_a_project_claims_from_its_place_whichever_request_asks(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.idle()

        assert lines.gets(ALICE)  # not from its place, as a request that does not wait

    def test_whoever_waits_for_another_pool_is_not_before_this_one(self, lines: Lines) -> None:
        lines.enter((ALICE, A), pool=GPU)
        lines.idle()

        assert lines.gets(BOB)

    def test_a_place_that_was_lost_keeps_nothing_back(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.clock.advance(4)
        lines.idle()

        assert lines.gets(BOB)

    def test_a_claim_that_succeeds_ends_the_place(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.idle()
        lines.claim(ALICE, A)

        found = lines.look(A=ALICE, B=BOB)

        assert found.ahead == {B: 0}
        assert set(found.served) == {A}
        assert set(found.replaced) == set()

    def test_a_claim_that_succeeds_ends_a_place_in_another_line_too(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B), pool=GPU)
        lines.idle()
        lines.claim(ALICE)

        assert lines.ahead(GPU, A=ALICE, B=BOB) == {B: 0}

    def test_what_a_project_holds_it_gets_again_though_it_waits(self, lines: Lines) -> None:
        instance = lines.idle()
        lines.claim(ALICE)
        lines.enter((BOB, B), (ALICE, A))

        again = lines.claim(ALICE)

        assert (again.created, again.allocation.instance) == (False, instance)
        assert lines.ahead(A=ALICE, B=BOB) == {B: 0}

    def test_a_claim_in_vain_counts_as_demand(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.idle()

        assert not lines.gets(BOB)
        assert lines.waiting() == 1

    def test_racing_claims_take_no_instance_from_who_waits(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        for _ in range(6):
            lines.idle()
        others = [ProjectId(f"other-{number}") for number in range(12)]

        got = race(others, lines.gets, threads=12)

        assert sum(answers[0] for answers in got.values()) == 4
        assert lines.gets(ALICE)
        assert lines.gets(BOB)

    def test_racing_claims_of_those_in_line_give_each_one(self, lines: Lines) -> None:
        projects = [ProjectId(f"project-{number}") for number in range(12)]
        lines.enter(*((project, RequestId(project)) for project in projects))
        for _ in range(5):
            lines.idle()

        got = race(projects, lines.gets, threads=12)

        assert {project for project, answers in got.items() if answers[0]} == set(projects[:5])

    # What is there

    def test_a_look_tells_what_is_ready_and_what_is_doubtful(self, lines: Lines) -> None:
        lines.idle()
        lines.clock.advance(60)
        lines.idle()
        lines.idle()
        lines.registry.hold(lines.idle(), actor="tester", now=lines.clock.now())
        booting(lines.registry)

        found = lines.look()

        assert (found.ready, found.doubtful) == (2, 1)

    def test_a_look_tells_who_holds_one_by_now(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.idle()
        lines.claim(ALICE)

        assert set(lines.look(A=ALICE, B=BOB).served) == {A}

    # Abandoned

    def test_an_allocation_that_nobody_waits_for_is_ended(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        instance = lines.idle()
        lines.claim(ALICE, A)

        assert lines.line.abandon(ALICE, A, actor="tester", now=lines.clock.now())

        found = known(lines.registry, instance)
        assert (found.state, found.end_reason) == (InstanceState.TERMINATING, EndReason.ABANDONED)
        with pytest.raises(AllocationNotFound):
            lines.registry.release(ALICE, actor="tester", now=NOW)
        kinds = [line.kind for line in lines.registry.events(limit=2)]
        assert EventKind.ALLOCATION_ENDED in kinds
        assert lines.waiting() == 0

    def test_one_that_another_request_has_asked_for_since_is_not_abandoned(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        instance = lines.idle()
        lines.claim(ALICE, A)
        lines.claim(ALICE)

        assert not lines.line.abandon(ALICE, A, actor="tester", now=lines.clock.now())
        assert known(lines.registry, instance).state is InstanceState.ALLOCATED

    def test_one_that_a_newer_request_waits_for_is_not_abandoned(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (ALICE, B))
        instance = lines.idle()
        lines.claim(ALICE, A)

        assert not lines.line.abandon(ALICE, A, actor="tester", now=lines.clock.now())
        assert known(lines.registry, instance).state is InstanceState.ALLOCATED

    def test_one_that_ended_meanwhile_is_not_abandoned(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.idle()
        lines.claim(ALICE, A)
        lines.registry.release(ALICE, actor="tester", now=lines.clock.now())

        assert not lines.line.abandon(ALICE, A, actor="tester", now=lines.clock.now())

    # What is to be expected

    def test_the_last_twenty_launches_are_remembered(self, lines: Lines) -> None:
        for number in range(25):
            lines.launched(number)

        assert [one.total_seconds() for one in lines.measured()] == list(range(5, 25))

    def test_an_instance_that_was_there_long_before_tells_nothing_of_launches(self, lines: Lines) -> None:
        look = a_look(launched_at=NOW - timedelta(days=3))
        lines.registry.discover(DEFAULT_POOL, look, now=NOW)
        lines.registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)

        assert lines.measured() == []

    def test_one_that_comes_back_is_no_launch(self, lines: Lines) -> None:
        lines.launched(5)
        [instance] = lines.registry.instances(DEFAULT_POOL)
        lines.registry.withdraw(instance, reason="silent", now=lines.clock.now())
        lines.registry.mark_idle(instance, "10.0.0.1", 8080, now=lines.clock.now())

        assert len(lines.measured()) == 1

    def test_a_prospect_tells_how_old_those_are_that_boot(self, lines: Lines) -> None:
        look = a_look(launched_at=lines.clock.now())
        lines.registry.discover(DEFAULT_POOL, look, now=lines.clock.now())
        lines.clock.advance(20)

        found = lines.line.prospect(DEFAULT_POOL, ready_since=NOW)

        assert list(found.booting) == [timedelta(seconds=20)]

    def test_a_prospect_counts_those_in_line_for_whom_there_is_none_yet(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B), (CAROL, C))
        lines.idle()

        assert lines.line.prospect(DEFAULT_POOL, ready_since=NOW).ahead == 2

    @pytest.mark.parametrize("limit", [None, Limit.MAX_SIZE])
    def test_a_prospect_tells_whether_others_will_be_launched(
        self, lines: Lines, limit: Limit | None
    ) -> None:
        lines.registry.record_view(PoolView(pool=DEFAULT_POOL, limited_by=limit))

        assert lines.line.prospect(DEFAULT_POOL, ready_since=NOW).more is (limit is None)
