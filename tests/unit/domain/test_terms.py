"""What allocations are made under, as their pool has it."""

from datetime import timedelta

import pytest

from app.domain.errors import TtlTooLong
from app.domain.terms import UNLIMITED, Terms, TermsPolicy, lead

MINUTE = timedelta(minutes=1)
HOUR = 60 * MINUTE


def test_a_pool_that_says_nothing_limits_nothing() -> None:
    assert TermsPolicy().terms() == UNLIMITED
    assert not UNLIMITED.limited


def test_what_is_asked_for_goes_before_what_the_pool_says() -> None:
    policy = TermsPolicy(default_ttl=HOUR, confirm_within=MINUTE)

    assert policy.terms() == Terms(ttl=HOUR, confirm_within=MINUTE)
    assert policy.terms(ttl=MINUTE, confirm_within=HOUR) == Terms(ttl=MINUTE, confirm_within=HOUR)


def test_who_asks_for_nothing_gets_the_longest_time_there_is() -> None:
    assert TermsPolicy(max_ttl=HOUR).terms().ttl == HOUR


@pytest.mark.parametrize(("ttl", "told"), [(2 * HOUR, "7200 seconds"), (None, "no time limit")])
def test_more_than_the_pool_allows_is_refused(ttl: timedelta | None, told: str) -> None:
    with pytest.raises(TtlTooLong, match=f"3600 seconds at most, and {told} was asked for"):
        TermsPolicy(max_ttl=HOUR).limited(ttl, asked=True)


def test_what_is_to_be_confirmed_is_limited_without_a_time_limit() -> None:
    terms = Terms(confirm_within=MINUTE)

    assert terms.limited
    assert terms.lead is None


def test_an_end_is_announced_by_half_of_a_short_time_before_it() -> None:
    assert lead(HOUR, 10 * MINUTE) == 10 * MINUTE
    assert lead(10 * MINUTE, 10 * MINUTE) == 5 * MINUTE
