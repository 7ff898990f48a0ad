"""Claims where somebody waits: nobody is passed over, and nothing is left behind."""

import pytest

from app.domain.errors import AllocationNotFound
from app.domain.events import EventKind
from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    InstanceState,
    ProjectId,
)
from app.ports import HungUp, RequestId
from tests.builders import NOW
from tests.contract.line_contract.world import GPU, A, B, C, Lines
from tests.contract.registry_contract.world import ALICE, BOB, known, race


class ClaimsContract:
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

    def test_who_comes_back_to_its_place_gets_nothing_past_those_who_wait(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.line.leave([A], demand=True)
        lines.idle()

        assert not lines.gets(ALICE)  # it stands nowhere now
        lines.enter((ALICE, C))
        assert not lines.gets(BOB)
        assert lines.gets(ALICE)

    def test_what_nobody_wants_any_more_is_not_made(self, lines: Lines) -> None:
        instance = lines.idle()
        now = lines.clock.now()

        with pytest.raises(HungUp):
            lines.registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=now, wanted=lambda: False)

        assert known(lines.registry, instance).state is InstanceState.IDLE
        assert lines.waiting() == 0
        assert lines.gets(BOB)

    def test_who_holds_one_is_told_so_wanted_or_not(self, lines: Lines) -> None:
        lines.idle()
        lines.claim(ALICE)
        now = lines.clock.now()

        again = lines.registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=now, wanted=lambda: False)

        assert not again.created

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

    def test_so_it_is_where_the_request_asked_once_more(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.idle()
        lines.claim(ALICE, A)
        lines.claim(ALICE, A)  # it was not told of the first, because the database was away

        assert lines.line.abandon(ALICE, A, actor="tester", now=lines.clock.now())

    def test_so_it_is_where_the_place_was_over_when_the_claim_came(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.idle()
        lines.clock.advance(4)
        lines.claim(ALICE, A)

        assert lines.line.abandon(ALICE, A, actor="tester", now=lines.clock.now())

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
