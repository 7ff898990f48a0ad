"""What a look tells, and what is to be expected."""

from datetime import timedelta

import pytest

from app.domain.model import (
    DEFAULT_POOL,
    Limit,
    PoolView,
)
from tests.builders import NOW, a_look
from tests.contract.line_contract.world import CAROL, DAVE, GPU, A, B, C, D, Lines
from tests.contract.registry_contract.world import ALICE, BOB, booting


class ProspectsContract:
    # What is there

    def test_a_look_tells_what_is_ready_and_what_is_doubtful(self, lines: Lines) -> None:
        lines.idle()
        lines.clock.advance(60)
        lines.idle()
        lines.idle()
        lines.registry.hold(lines.idle(), actor="tester", now=lines.clock.now())
        booting(lines.registry)
        lines.enter((ALICE, A), (BOB, B))

        found = lines.look()

        assert (found.ready, found.doubtful) == (2, 1)

    def test_what_is_idle_beyond_those_in_line_is_not_counted(self, lines: Lines) -> None:
        for _ in range(5):
            lines.idle()
        lines.enter((ALICE, A))

        found = lines.look()

        assert (found.ready, found.doubtful) == (2, 0)

    def test_a_look_tells_who_holds_one_by_now(self, lines: Lines) -> None:
        lines.enter((ALICE, A), (BOB, B))
        lines.idle()
        lines.claim(ALICE)

        assert set(lines.look(A=ALICE, B=BOB).served) == {A}

    # What is to be expected

    def test_the_last_twenty_launches_are_remembered(self, lines: Lines) -> None:
        for number in range(25):
            lines.launched(number + 1)

        assert [one.total_seconds() for one in lines.measured()] == list(range(6, 26))

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

    def test_an_instance_that_was_held_while_it_booted_tells_nothing_of_launches(self, lines: Lines) -> None:
        look = a_look(launched_at=lines.clock.now())
        lines.registry.discover(DEFAULT_POOL, look, now=lines.clock.now())
        lines.registry.hold(look.id, actor="tester", now=lines.clock.now())
        lines.clock.advance(300)
        lines.registry.unhold(look.id, actor="tester", now=lines.clock.now())
        lines.registry.mark_idle(look.id, "10.0.0.1", 8080, now=lines.clock.now())

        assert lines.measured() == []

    def test_nor_does_one_that_got_ready_while_nobody_looked_at_the_pool(self, lines: Lines) -> None:
        look = a_look(launched_at=lines.clock.now())
        lines.registry.discover(DEFAULT_POOL, look, now=lines.clock.now())
        lines.registry.record_view(PoolView(pool=DEFAULT_POOL, last_pass_at=lines.clock.now()))
        lines.clock.advance(7200)
        lines.registry.mark_idle(look.id, "10.0.0.1", 8080, now=lines.clock.now())

        assert lines.measured() == []

    def test_nor_does_one_that_was_ready_before_its_launch_by_the_clocks(self, lines: Lines) -> None:
        look = a_look(launched_at=lines.clock.now() + timedelta(seconds=90))
        lines.registry.discover(DEFAULT_POOL, look, now=lines.clock.now())
        lines.clock.advance(60)
        lines.registry.mark_idle(look.id, "10.0.0.1", 8080, now=lines.clock.now())

        assert lines.measured() == []

    def test_launches_are_measured_by_the_databases_clock(self, lines: Lines) -> None:
        look = a_look(launched_at=lines.clock.now())
        lines.registry.discover(DEFAULT_POOL, look, now=lines.clock.now())
        lines.clock.advance(20)
        ahead = lines.clock.now() + timedelta(seconds=50)  # as a replica has it
        lines.registry.mark_idle(look.id, "10.0.0.1", 8080, now=ahead)

        assert list(lines.measured()) == [timedelta(seconds=20)]

    def test_a_prospect_names_who_stands_in_line_and_for_how_many_there_is_one(self, lines: Lines) -> None:
        lines.enter((BOB, B), (ALICE, A), (CAROL, C))
        lines.line.leave([B], demand=True)
        lines.idle()

        found = lines.line.prospect(DEFAULT_POOL, ready_since=NOW)

        assert (list(found.line), found.ready) == ([BOB, ALICE, CAROL], 1)

    def test_a_prospect_names_who_asked_in_vain_and_holds_nothing(self, lines: Lines) -> None:
        for project in (ALICE, BOB):
            assert not lines.gets(project)
        assert not lines.gets(CAROL, GPU)
        lines.enter((DAVE, D))
        lines.idle()
        lines.idle()
        assert lines.gets(BOB)

        found = lines.line.prospect(DEFAULT_POOL, ready_since=NOW)

        assert (list(found.line), set(found.demand)) == ([DAVE], {ALICE, DAVE})

    @pytest.mark.parametrize("limit", [None, Limit.MAX_SIZE])
    def test_a_prospect_tells_whether_others_will_be_launched(
        self, lines: Lines, limit: Limit | None
    ) -> None:
        lines.registry.record_view(PoolView(pool=DEFAULT_POOL, limited_by=limit))

        assert lines.line.prospect(DEFAULT_POOL, ready_since=NOW).more is (limit is None)
