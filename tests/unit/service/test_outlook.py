"""What is told to those for whom there is no instance."""

from datetime import timedelta

import pytest

from app.domain.errors import PoolExhausted
from app.domain.model import DEFAULT_POOL, ProjectId
from app.ports import Prospect
from app.service.outlook import Outlook
from tests.fake_clock import Stopwatch
from tests.fakes import FakeClock, FakeLine
from tests.unit.service.allocating import ALICE, BOB, CAROL, GPU

REFUSED = PoolExhausted("Nothing is idle.", retry_after=timedelta(seconds=5))


class Told:
    def __init__(self) -> None:
        self.line = FakeLine()
        self.watch = Stopwatch()
        self._outlook = Outlook(self.line, clock=FakeClock(), monotonic=self.watch)

    def launches_take(self, seconds: float) -> None:
        measured = [timedelta(seconds=seconds)]
        self.line.told = Prospect(line=(), demand=(), ready=0, booting=(), measured=measured, more=True)

    def after(self, seconds: float = 2.0, project: ProjectId = ALICE) -> PoolExhausted:
        self.watch.advance(seconds)
        return self._outlook.with_estimate(DEFAULT_POOL, project, REFUSED)

    def of_gpu(self) -> PoolExhausted:
        return self._outlook.with_estimate(GPU, ALICE, REFUSED)


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_refusal_says_how_long_it_will_take(told: Told) -> None:
    told.launches_take(20.4)

    refused = told.after()

    assert refused.estimated_wait == timedelta(seconds=20.4)
    assert refused.detail == "Nothing is idle. By the last launches, it takes about 21 s."


def test_where_nobody_knows_the_refusal_says_nothing_of_it(told: Told) -> None:
    refused = told.after()

    assert (refused.estimated_wait, refused.retry_after) == (None, timedelta(seconds=5))
    assert refused.detail == "Nothing is idle."


@pytest.mark.parametrize(("takes", "again"), [(0.2, 1), (20, 20), (400, 30)])
def test_who_is_refused_is_to_ask_again_then_or_while_it_counts_as_demand(
    told: Told, takes: float, again: float
) -> None:
    told.launches_take(takes)

    assert told.after().retry_after == timedelta(seconds=again)


def test_an_estimate_is_made_once_a_second_for_all_who_are_refused(told: Told) -> None:
    for _ in range(30):
        told.after(0.1)

    assert 3 <= told.line.asked_for_it <= 4


def wanted(told: Told, *demand: ProjectId, line: tuple[ProjectId, ...] = (), ready: int = 0) -> None:
    """Three boot, and will be ready in 10, 20 and 30 seconds; after those it takes 40."""
    told.line.told = Prospect(
        line=line,
        demand={*line, *demand},
        ready=ready,
        booting=[timedelta(seconds=age) for age in (30, 20, 10)],
        measured=[timedelta(seconds=40)],
        more=True,
    )


def test_who_asks_alone_is_told_of_the_first_that_boots(told: Told) -> None:
    wanted(told, ALICE)

    assert told.after().estimated_wait == timedelta(seconds=10)


def test_others_who_ask_for_one_come_before(told: Told) -> None:
    wanted(told, ALICE, BOB, CAROL)

    assert told.after().estimated_wait == timedelta(seconds=30)


def test_so_do_those_who_have_asked_since_that_was_looked_up(told: Told) -> None:
    wanted(told)

    found = [told.after(0, project).estimated_wait for project in (ALICE, BOB, CAROL, ALICE)]

    assert found == [timedelta(seconds=one) for one in (10, 20, 30, 30)]


def test_who_stands_in_line_is_told_by_those_before_it_alone(told: Told) -> None:
    wanted(told, CAROL, line=(BOB, ALICE))

    assert told.after().estimated_wait == timedelta(seconds=20)


def test_for_whom_one_is_ready_already_nobody_has_to_wait(told: Told) -> None:
    wanted(told, ALICE, BOB, CAROL, ready=1)

    assert told.after().estimated_wait == timedelta(seconds=20)


def test_each_pool_has_an_estimate_of_its_own(told: Told) -> None:
    told.launches_take(20)
    told.after()
    told.launches_take(40)

    assert told.of_gpu().estimated_wait == timedelta(seconds=40)


def test_a_database_that_is_away_takes_nothing_from_the_refusal(told: Told) -> None:
    told.line.away = True

    assert told.after() is REFUSED
