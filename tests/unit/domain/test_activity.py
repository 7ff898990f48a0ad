"""What counts as use of an instance, and when it has been unused for too long."""

from datetime import timedelta

import pytest

from app.domain.activity import Heartbeat, Insight, Usage, learn
from app.domain.terms import TermsPolicy
from tests.builders import NOW

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
CULLS = TermsPolicy(idle_timeout=HOUR, warning=10 * MINUTE)
NEVER = TermsPolicy()
CLOCK = 1_700_000_000_000
"""What time it is on the instance at NOW: its clock has nothing to do with ours."""


def heard(ago: timedelta | None, at: timedelta = timedelta()) -> Heartbeat:
    """Return what an instance tells so long after NOW that was last used so long before; None: never."""
    now = CLOCK + ms(at)
    return Heartbeat(last=0 if ago is None else now - ms(ago), now=now)


def ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def asked(
    known: Usage,
    heartbeat: Heartbeat,
    at: timedelta = timedelta(),
    *,
    unheard_for: timedelta = 30 * SECOND,
    terms: TermsPolicy = CULLS,
) -> Insight:
    return learn(known, heartbeat, unheard_for=unheard_for, terms=terms, now=NOW + at)


def new(**more: object) -> Usage:
    """Return what is known of an allocation that was made ten minutes before NOW, and never told anything."""
    return Usage(allocated_at=NOW - 10 * MINUTE, **more)  # type: ignore[arg-type]


def used(ago: timedelta = timedelta(), **more: object) -> Usage:
    """Return what is known of one that was last used so long before NOW."""
    return Usage(
        allocated_at=NOW - 10 * HOUR,
        heartbeat=CLOCK - ms(ago),
        last_activity_at=NOW - ago,
        **more,  # type: ignore[arg-type]
    )


# What counts as use


def test_the_first_heartbeat_counts_where_it_came_after_the_allocation() -> None:
    assert asked(new(), heard(5 * MINUTE)).usage.last_activity_at == NOW - 5 * MINUTE


@pytest.mark.parametrize("ago", [10 * MINUTE, 11 * MINUTE, 10 * MINUTE - SECOND, None])
def test_a_first_heartbeat_from_before_the_allocation_is_no_use(ago: timedelta | None) -> None:
    told = asked(new(), heard(ago)).usage

    assert told.last_activity_at is None
    assert told.heartbeat == heard(ago).last


@pytest.mark.parametrize(
    "heartbeat",
    [
        pytest.param(Heartbeat(last=CLOCK - 1000, now=None), id="it does not say what time it is"),
        pytest.param(Heartbeat(last=CLOCK + 60_000, now=CLOCK), id="its last use is still to come"),
    ],
)
def test_a_first_heartbeat_that_cannot_be_placed_in_time_is_no_use(heartbeat: Heartbeat) -> None:
    assert asked(new(), heartbeat).usage.last_activity_at is None


def test_a_heartbeat_that_has_moved_is_use_at_the_time_it_tells() -> None:
    known = used(MINUTE)

    assert asked(known, heard(20 * SECOND)).usage.last_activity_at == NOW - 20 * SECOND


def test_the_first_use_of_all_is_seen_by_the_heartbeat_that_moves() -> None:
    assert asked(new(heartbeat=0), heard(20 * SECOND)).usage.last_activity_at == NOW - 20 * SECOND


def test_one_that_has_moved_is_use_though_it_does_not_say_what_time_it_is() -> None:
    told = asked(used(MINUTE), Heartbeat(last=CLOCK, now=None)).usage

    assert told.last_activity_at == NOW


def test_what_is_new_and_yet_older_than_what_was_heard_before_is_taken_for_use_just_now() -> None:
    leapt = Heartbeat(last=CLOCK, now=CLOCK + ms(3 * HOUR))

    assert asked(used(MINUTE), leapt, unheard_for=30 * SECOND).usage.last_activity_at == NOW


def test_the_time_of_the_last_use_never_goes_back() -> None:
    known = Usage(allocated_at=NOW - HOUR, heartbeat=CLOCK - 5000, last_activity_at=NOW - SECOND)

    assert asked(known, heard(3 * SECOND)).usage.last_activity_at == NOW - SECOND


def test_a_heartbeat_that_stands_is_silence() -> None:
    known = used(20 * MINUTE)

    assert asked(known, heard(20 * MINUTE)).usage == known


@pytest.mark.parametrize("ago", [None, 2 * HOUR])
def test_one_that_went_back_counts_as_use_where_there_was_use_before(ago: timedelta | None) -> None:
    told = asked(used(HOUR), heard(ago)).usage

    assert (told.last_activity_at, told.heartbeat) == (NOW, heard(ago).last)


def test_one_that_went_back_is_no_use_where_there_was_none_before() -> None:
    told = asked(new(heartbeat=CLOCK), heard(None)).usage

    assert (told.last_activity_at, told.heartbeat) == (None, 0)


def test_who_is_seen_to_use_it_need_not_confirm_it() -> None:
    known = new(heartbeat=CLOCK - 60_000, confirm_by=NOW + MINUTE)

    assert asked(known, heard(SECOND)).usage.confirm_by is None


def test_who_is_not_must() -> None:
    known = new(heartbeat=CLOCK - 60_000, confirm_by=NOW + MINUTE)

    assert asked(known, heard(MINUTE)).usage.confirm_by == NOW + MINUTE


# When its end is announced


def test_the_end_is_announced_some_time_before() -> None:
    told = asked(used(50 * MINUTE), heard(50 * MINUTE))

    assert (told.ends_at, told.usage.warned_at, told.over) == (NOW + 10 * MINUTE, NOW, False)


def test_it_is_not_announced_before_that() -> None:
    known = used(50 * MINUTE - SECOND)

    assert asked(known, heard(50 * MINUTE - SECOND)) == Insight(usage=known)


def test_it_is_announced_once() -> None:
    known = used(55 * MINUTE, warned_at=NOW - 5 * MINUTE)

    assert asked(known, heard(55 * MINUTE)) == Insight(usage=known)


def test_use_takes_the_announcement_back() -> None:
    known = used(55 * MINUTE, warned_at=NOW - 5 * MINUTE)

    told = asked(known, heard(SECOND))

    assert (told.usage.warned_at, told.ends_at) == (None, None)


def test_what_is_announced_late_ends_a_minute_later() -> None:
    assert asked(used(3 * HOUR), heard(3 * HOUR)).ends_at == NOW + MINUTE


def test_of_a_short_timeout_half_goes_by_before_the_announcement() -> None:
    terms = TermsPolicy(idle_timeout=8 * SECOND, warning=10 * MINUTE)

    assert asked(used(4 * SECOND), heard(4 * SECOND), terms=terms).ends_at == NOW + 4 * SECOND


def test_a_longer_timeout_takes_the_announcement_back() -> None:
    known = used(55 * MINUTE, warned_at=NOW - 5 * MINUTE)
    longer = TermsPolicy(idle_timeout=10 * HOUR)

    assert asked(known, heard(55 * MINUTE), terms=longer).usage.warned_at is None


# When it is over


def over(known: Usage, heartbeat: Heartbeat, terms: TermsPolicy = CULLS) -> bool:
    return asked(known, heartbeat, terms=terms).over


def test_it_is_over_once_nobody_has_used_it_for_so_long() -> None:
    assert over(used(HOUR, warned_at=NOW - 10 * MINUTE), heard(HOUR))


def test_it_is_not_over_a_moment_before() -> None:
    ago = HOUR - timedelta(milliseconds=1)

    assert not over(used(ago, warned_at=NOW - 10 * MINUTE), heard(ago))


def test_it_is_never_over_unannounced() -> None:
    assert not over(used(5 * HOUR), heard(5 * HOUR))


def test_it_is_not_over_before_the_time_that_was_told() -> None:
    late = used(2 * HOUR, warned_at=NOW - 59 * SECOND)

    assert not over(late, heard(2 * HOUR))
    assert over(used(2 * HOUR, warned_at=NOW - MINUTE), heard(2 * HOUR))


def test_what_could_not_end_at_the_time_that_was_told_is_announced_anew() -> None:
    told = asked(used(5 * HOUR, warned_at=NOW - 4 * HOUR), heard(5 * HOUR))

    assert (told.over, told.ends_at, told.usage.warned_at) == (False, NOW + MINUTE, NOW)


def test_what_was_never_used_is_never_over() -> None:
    known = Usage(allocated_at=NOW - 100 * HOUR, heartbeat=0)

    assert asked(known, heard(None)) == Insight(usage=known)


def test_what_was_used_and_started_anew_is_over_once_it_has_been_silent_so_long_since() -> None:
    known = Usage(
        allocated_at=NOW - 9 * HOUR,
        heartbeat=0,
        last_activity_at=NOW - HOUR,
        warned_at=NOW - 10 * MINUTE,
    )

    assert over(known, heard(None))


def test_without_a_timeout_nothing_is_over() -> None:
    assert asked(used(100 * HOUR), heard(100 * HOUR), terms=NEVER) == Insight(usage=used(100 * HOUR))


def test_what_is_spared_is_neither_announced_nor_over() -> None:
    held = used(50 * MINUTE, spared=True)
    announced = used(HOUR, spared=True, warned_at=NOW - 10 * MINUTE)

    assert asked(held, heard(50 * MINUTE)) == Insight(usage=held)
    assert asked(announced, heard(HOUR)) == Insight(usage=announced)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(None, id="it does not say what time it is"),
        pytest.param(CLOCK - ms(2 * HOUR), id="its last use is still to come: its clock was set back"),
        pytest.param(CLOCK - ms(5 * MINUTE), id="its own clock says that it was used not so long ago"),
    ],
)
def test_what_its_own_clock_does_not_prove_does_not_end(now: int | None) -> None:
    silent = used(HOUR, warned_at=NOW - 10 * MINUTE)
    heartbeat = Heartbeat(last=CLOCK - ms(HOUR), now=now)

    assert not over(silent, heartbeat)


def test_a_clock_that_tells_whole_seconds_is_exact_enough() -> None:
    silent = used(HOUR, warned_at=NOW - 10 * MINUTE)

    assert over(silent, Heartbeat(last=CLOCK - ms(HOUR), now=CLOCK - 999))
