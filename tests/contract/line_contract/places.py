"""Places in line: who stands where, and for how long."""

from app.domain.model import (
    DEFAULT_POOL,
)
from tests.contract.line_contract.world import CAROL, GPU, A, B, C, D, Lines
from tests.contract.registry_contract.world import ALICE, BOB


class PlacesContract:
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

    def test_a_request_whose_place_is_kept_no_more_ends_no_demand_when_it_leaves(self, lines: Lines) -> None:
        lines.enter((ALICE, A), pool=GPU)
        lines.clock.advance(40)
        assert not lines.gets(ALICE)

        lines.line.leave([A], demand=False)

        assert lines.waiting() == 1

    # Time

    def test_a_place_of_which_nobody_says_anything_is_lost_after_three_seconds(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.clock.advance(2)
        lines.look(B=BOB)
        lines.clock.advance(1.5)

        assert lines.ahead(B=BOB) == {B: 0}

    def test_a_place_lasts_as_long_as_somebody_looks(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        for _ in range(20):
            lines.clock.advance(0.9)
            lines.look(A=ALICE)

        assert lines.ahead(A=ALICE) == {A: 0}

    def test_who_was_silent_for_too_long_has_its_place_again_by_a_look(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.clock.advance(4)
        lines.enter((BOB, B))

        assert lines.ahead(A=ALICE) == {A: 0}
        assert lines.ahead(B=BOB) == {B: 1}

    def test_a_database_that_stood_still_leaves_the_line_in_its_order(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B), (CAROL, C))
        lines.clock.advance(20)
        lines.look(C=CAROL)
        lines.look(B=BOB)

        assert lines.ahead(A=ALICE, B=BOB, C=CAROL) == {A: 0, B: 1, C: 2}

    def test_a_request_that_asks_again_has_the_place_of_one_that_waited_in_vain(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.line.leave([A], demand=True)
        lines.clock.advance(2)
        assert lines.ahead(B=BOB) == {B: 0}

        lines.enter((ALICE, C))

        assert lines.ahead(B=BOB, C=ALICE) == {C: 0, B: 1}

    def test_a_place_is_kept_for_half_a_minute(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.line.leave([A], demand=True)
        for _ in range(31):
            lines.clock.advance(1)
            lines.look(B=BOB)

        lines.enter((ALICE, C))

        assert lines.ahead(B=BOB, C=ALICE) == {B: 0, C: 1}

    def test_claims_of_others_throw_away_no_place_that_is_kept(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.line.leave([A], demand=True)
        lines.clock.advance(1)
        lines.idle()
        lines.gets(CAROL)
        lines.gets(BOB)
        lines.enter((CAROL, C), (ALICE, D))

        assert lines.ahead(C=CAROL, D=ALICE) == {D: 0, C: 1}

    def test_who_hung_up_and_asks_again_stands_last(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.line.leave([A], demand=False)

        lines.enter((ALICE, C))

        assert lines.ahead(B=BOB, C=ALICE) == {B: 0, C: 1}

    def test_so_does_who_hung_up_while_its_place_was_over(self, lines: Lines) -> None:
        assert not lines.gets(ALICE)
        lines.enter((ALICE, A))
        lines.clock.advance(4)
        lines.line.leave([A], demand=False)

        lines.enter((BOB, B), (ALICE, C))

        assert lines.ahead(B=BOB, C=ALICE) == {B: 0, C: 1}
        assert lines.waiting() == 0

    def test_who_asks_for_another_pool_meanwhile_comes_back_to_nothing(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.line.leave([A], demand=True)
        lines.enter((ALICE, C), pool=GPU)
        lines.enter((ALICE, D))

        assert lines.ahead(B=BOB, D=ALICE) == {B: 0, D: 1}

    def test_a_look_that_comes_too_late_says_of_nobody_who_left_that_he_waits(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.line.leave([A], demand=True)

        assert lines.ahead(A=ALICE, B=BOB) == {B: 0}

    def test_a_place_that_was_served_is_kept_no_longer(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.line.leave([A], demand=True)
        lines.idle()
        lines.idle()
        assert lines.gets(ALICE)
        lines.registry.release(ALICE, actor="tester", now=lines.clock.now())

        lines.enter((ALICE, C))

        assert lines.ahead(B=BOB, C=ALICE) == {B: 0, C: 1}

    def test_where_the_clock_was_set_back_nobody_stands_behind_the_dead(self, lines: Lines) -> None:
        lines.enter((ALICE, A))
        lines.clock.advance(-600)
        lines.idle()

        assert lines.gets(BOB)

    def test_where_the_clock_was_set_back_a_little_the_living_keep_their_places(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.clock.advance(-10)
        lines.look(B=BOB)

        assert lines.ahead(A=ALICE, B=BOB) == {A: 0, B: 1}
