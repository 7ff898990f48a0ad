"""What is told to those for whom there is no instance."""

from datetime import timedelta

import pytest

from app.domain.errors import PoolExhausted
from app.domain.model import DEFAULT_POOL
from app.ports import Prospect
from app.service.outlook import Outlook
from tests.fake_clock import Stopwatch
from tests.fakes import FakeClock, FakeLine
from tests.unit.service.allocating import GPU

REFUSED = PoolExhausted("Nothing is idle.", retry_after=timedelta(seconds=5))


class Told:
    def __init__(self) -> None:
        self.line = FakeLine()
        self.watch = Stopwatch()
        self._outlook = Outlook(self.line, clock=FakeClock(), monotonic=self.watch)

    def launches_take(self, seconds: float) -> None:
        measured = [timedelta(seconds=seconds)]
        self.line.told = Prospect(ahead=0, booting=(), measured=measured, more=True)

    def after(self, seconds: float = 2.0) -> PoolExhausted:
        self.watch.advance(seconds)
        return self._outlook.with_estimate(DEFAULT_POOL, REFUSED)

    def of_gpu(self) -> PoolExhausted:
        return self._outlook.with_estimate(GPU, REFUSED)


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


def test_each_pool_has_an_estimate_of_its_own(told: Told) -> None:
    told.launches_take(20)
    told.after()
    told.launches_take(40)

    assert told.of_gpu().estimated_wait == timedelta(seconds=40)


def test_a_database_that_is_away_takes_nothing_from_the_refusal(told: Told) -> None:
    told.line.away = True

    assert told.after() is REFUSED
