"""How long it will take: by what was measured, and nothing where that says nothing."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.estimate import estimated_wait, typical


def seconds(*some: float) -> Sequence[timedelta]:
    return [timedelta(seconds=one) for one in some]


def estimate(
    measured: Sequence[timedelta], booting: Sequence[timedelta] = (), *, ahead: int = 0, more: bool = True
) -> float | None:
    found = estimated_wait(measured, booting, ahead=ahead, more=more)
    return None if found is None else found.total_seconds()


def test_where_nothing_was_measured_nobody_knows() -> None:
    assert estimate([], seconds(10)) is None
    assert typical([]) is None


def test_one_odd_launch_does_not_move_what_is_typical() -> None:
    assert typical(seconds(40, 42, 600)) == timedelta(seconds=42)


def test_the_first_gets_what_will_be_ready_first() -> None:
    assert estimate(seconds(40, 40, 40), seconds(10, 30)) == 10


def test_who_stands_second_gets_the_second() -> None:
    assert estimate(seconds(40, 40, 40), seconds(10, 30), ahead=1) == 30


def test_beyond_those_that_boot_a_launch_begins_now() -> None:
    assert estimate(seconds(40, 40, 40), seconds(10, 30), ahead=2) == 40


def test_where_no_more_may_be_launched_nobody_knows() -> None:
    assert estimate(seconds(40), seconds(10), ahead=1, more=False) is None
    assert estimate(seconds(40), seconds(10), more=False) == 30


def test_one_that_boots_for_long_is_judged_by_those_that_took_longer() -> None:
    assert estimate(seconds(20, 40, 60, 80), seconds(50)) == 20


def test_one_that_boots_for_a_little_longer_than_any_did_is_still_awaited_soon() -> None:
    assert estimate(seconds(20, 40), seconds(41)) == 4
    assert estimate(seconds(20, 40), seconds(41), more=False) == 4


def test_one_that_boots_for_much_longer_than_any_did_is_not_counted_on() -> None:
    assert estimate(seconds(20, 40), seconds(500), more=False) is None
    assert estimate(seconds(20, 40), seconds(500, 10)) == 20


TIMES = st.lists(st.floats(0, 1000).map(lambda one: timedelta(seconds=one)), max_size=20)


@given(TIMES, TIMES, st.integers(0, 30), st.booleans())
def test_an_estimate_is_never_negative_and_never_longer_than_the_longest_launch(
    measured: list[timedelta], booting: list[timedelta], ahead: int, more: bool
) -> None:
    found = estimated_wait(measured, booting, ahead=ahead, more=more)

    assert found is None or timedelta() <= found <= max(measured) + timedelta(microseconds=1)


@pytest.mark.parametrize("more", [True, False])
@given(TIMES, TIMES, st.integers(0, 30))
def test_who_stands_further_back_is_told_no_shorter_time_while_instances_boot(
    more: bool, measured: list[timedelta], booting: list[timedelta], ahead: int
) -> None:
    nearer = estimated_wait(measured, booting, ahead=ahead, more=more)
    further = estimated_wait(measured, booting, ahead=ahead + 1, more=False)

    assert further is None or (nearer is not None and nearer <= further)
