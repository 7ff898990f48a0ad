"""When an allocation ends by itself, and when that is told before."""

from datetime import timedelta

import pytest

from app.domain.limits import LATE, NOTICE, UNTOLD_LEAD, Announcement, End, Limits, due, limits_of, notice
from app.domain.model import EndReason
from app.domain.terms import UNLIMITED, Terms
from tests.builders import NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR = 60 * MINUTE
EXPIRED, UNCONFIRMED = EndReason.EXPIRED, EndReason.UNCONFIRMED
AN_HOUR = limits_of(Terms(ttl=HOUR), NOW)
TOLD = AN_HOUR.put_off(Announcement(EXPIRED, NOW + HOUR))
TO_CONFIRM = limits_of(Terms(confirm_within=MINUTE), NOW)
AN_OLD_ONE = Limits(expires_at=NOW + HOUR)
"""Made by a version of the service that knew of no announcements."""


def test_an_allocation_under_no_terms_is_due_for_nothing() -> None:
    assert limits_of(UNLIMITED, NOW) == Limits()
    assert due(Limits(), NOW + 1000 * HOUR) is None


def test_a_time_limit_is_announced_as_long_before_its_end_as_the_terms_say() -> None:
    assert (AN_HOUR.expires_at, AN_HOUR.warn_at) == (NOW + HOUR, NOW + 50 * MINUTE)
    assert due(AN_HOUR, NOW + 50 * MINUTE - SECOND) is None
    assert due(AN_HOUR, NOW + 50 * MINUTE) == Announcement(EXPIRED, NOW + HOUR)


def test_an_end_that_was_told_comes_when_it_was_said_to() -> None:
    assert due(TOLD, NOW + HOUR - SECOND) is None
    assert due(TOLD, NOW + HOUR) == End(EXPIRED)
    assert due(TOLD, NOW + HOUR + LATE) == End(EXPIRED)


def test_an_end_that_could_not_come_when_it_was_said_to_is_told_anew() -> None:
    late = NOW + HOUR + LATE + SECOND

    assert due(TOLD, late) == Announcement(EXPIRED, late + NOTICE)


@pytest.mark.parametrize("late", [timedelta(), SECOND, 9 * MINUTE])
def test_an_announcement_that_comes_in_time_leaves_the_end_where_it_is(late: timedelta) -> None:
    assert due(AN_HOUR, NOW + 50 * MINUTE + late) == Announcement(EXPIRED, NOW + HOUR)


@pytest.mark.parametrize("late", [10 * MINUTE, HOUR])
def test_an_announcement_that_comes_too_late_moves_the_end(late: timedelta) -> None:
    now = NOW + 50 * MINUTE + late

    assert due(AN_HOUR, now) == Announcement(EXPIRED, now + NOTICE)


def test_a_short_limit_is_known_for_a_quarter_of_it_at_least() -> None:
    short = limits_of(Terms(ttl=8 * SECOND), NOW)

    assert short.warn_at == NOW + 4 * SECOND
    assert due(short, NOW + 8 * SECOND) == Announcement(EXPIRED, NOW + 10 * SECOND)


def test_a_long_lead_gives_a_minute_at_least_and_a_short_one_half_of_it() -> None:
    assert (notice(10 * MINUTE), notice(2 * MINUTE), notice(10 * SECOND)) == (MINUTE, MINUTE, 5 * SECOND)


def test_what_an_older_version_made_is_announced_before_it_ends() -> None:
    told_at = NOW + HOUR - UNTOLD_LEAD

    assert due(AN_OLD_ONE, told_at - SECOND) is None
    assert due(AN_OLD_ONE, told_at) == Announcement(EXPIRED, NOW + HOUR)
    assert due(AN_OLD_ONE, NOW + 2 * HOUR) == Announcement(EXPIRED, NOW + 2 * HOUR + NOTICE)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("ends", [10 * MINUTE, 3 * HOUR])
def test_what_an_older_version_renewed_is_announced_before_it_ends(told: bool, ends: timedelta) -> None:
    """It moves the end alone."""
    before = TOLD if told else AN_HOUR
    renewed = Limits(expires_at=NOW + ends, warn_at=before.warn_at)

    assert isinstance(due(renewed, NOW + ends), Announcement)


def test_what_an_older_version_freed_of_its_limit_is_due_for_nothing() -> None:
    assert due(Limits(warn_at=NOW), NOW + HOUR) is None


def test_what_is_to_be_confirmed_ends_then_and_not_before() -> None:
    assert due(TO_CONFIRM, NOW + MINUTE - SECOND) is None
    assert due(TO_CONFIRM, NOW + MINUTE) == End(UNCONFIRMED)


def test_what_nobody_could_end_in_time_nobody_could_confirm_either() -> None:
    late = NOW + MINUTE + LATE + SECOND
    what = due(TO_CONFIRM, late)

    assert what == Announcement(UNCONFIRMED, late + NOTICE)
    assert TO_CONFIRM.put_off(what).confirm_by == late + NOTICE


def test_a_renewal_begins_anew_and_confirms() -> None:
    limits = limits_of(Terms(ttl=MINUTE, confirm_within=MINUTE), NOW)

    assert limits.renewed(Terms(ttl=HOUR), NOW) == AN_HOUR
    assert limits.renewed(UNLIMITED, NOW) == Limits()
