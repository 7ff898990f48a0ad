"""The arithmetic of desired capacity in words: the sum, where it leads, and what is in the way."""

from typing import Any

import pytest

from app.cli.sizing import in_words
from app.domain.model import Limit
from app.domain.sizing import Sizing
from tests.builders import a_group


def words(
    *,
    allocated: int = 5,
    waiting: int = 0,
    current: int,
    target: int,
    limited_by: Limit | None = None,
    **group: Any,
) -> str:
    sizing = Sizing(
        allocated=allocated,
        waiting=waiting,
        current=current,
        wanted=allocated + waiting + 5,
        target=target,
        limited_by=limited_by,
    )
    return in_words(sizing, a_group(**{"desired": current, **group}), buffer=5)


SUM = "5 allocated + 0 waiting + 5 buffer = 10"


def test_what_is_enough_stays() -> None:
    assert words(current=10, target=10) == f"desired stays 10: {SUM}"


def test_what_is_too_little_rises_to_the_sum() -> None:
    assert words(current=10, allocated=7, waiting=1, target=13) == (
        "desired rises from 10 to 13: 7 allocated + 1 waiting + 5 buffer = 13"
    )


def test_what_is_more_than_needed_is_not_lowered_by_itself() -> None:
    assert words(current=12, target=12) == (
        f"desired stays 12: {SUM}, and it is only ever lowered together with an instance"
    )


def test_a_rise_that_max_size_cuts_short_says_so() -> None:
    assert words(current=6, target=8, limited_by=Limit.MAX_SIZE, max_size=8) == (
        f"desired rises from 6 to 8, not to 10: {SUM}, but the group's max size is 8"
    )


def test_at_max_size_it_stays_and_says_why() -> None:
    assert words(current=8, target=8, limited_by=Limit.MAX_SIZE, max_size=8) == (
        f"desired stays 8, not 10: {SUM}, but the group's max size is 8"
    )


def test_a_rise_beyond_the_sum_is_for_the_min_size() -> None:
    assert words(current=8, target=12, min_size=12) == (
        f"desired rises from 8 to 12, the group's min size: {SUM}"
    )


def test_where_desired_cannot_be_read_the_members_are_counted() -> None:
    assert words(current=8, target=8, limited_by=Limit.AWS_ERRORS, desired=None) == (
        f"desired (unknown: members are counted) stays 8, not 10: {SUM}, "
        "but AWS cannot be looked at, or refuses to grow the group"
    )


@pytest.mark.parametrize("limit", Limit)
def test_every_limit_is_told_whether_desired_rises_or_stays(limit: Limit) -> None:
    for current, target in [(6, 6), (10, 10), (6, 10), (12, 12)]:
        without = words(current=current, target=target)
        limited = words(current=current, target=target, limited_by=limit)
        assert len(limited) > len(without) or "but" in limited


def test_a_limit_that_does_not_change_the_figure_follows_it() -> None:
    assert words(current=10, target=10, limited_by=Limit.CAPACITY) == (
        f"desired stays 10: {SUM}; yet AWS has no more instances of this type"
    )
