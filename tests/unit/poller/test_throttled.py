"""How the poller slows down while AWS throttles us: its own arithmetic, without threads."""

import pytest

from app.service.reconcile import PassReport
from tests.unit.poller.beats import Beats

THROTTLED = PassReport(throttled=True)


def test_each_throttled_pass_doubles_the_time_to_the_next_up_to_two_minutes() -> None:
    beats = Beats(THROTTLED)

    beats.beat_for(600)

    assert beats.waits() == [20, 40, 80, 120, 120, 120]


def test_a_claim_does_not_shorten_it() -> None:
    beats = Beats(THROTTLED)
    beats.beat_for(2)
    beats.poller.wake()

    beats.beat_for(17)

    assert len(beats.ran) == 1


def test_a_pass_that_is_not_throttled_ends_it() -> None:
    beats = Beats(THROTTLED)
    beats.beat_for(61)
    beats.report = PassReport()
    beats.beat_for(90)
    beats.ran.clear()
    beats.poller.wake()

    beats.beat_for(2)

    assert len(beats.ran) == 1


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 20), (0.99, 17)])
def test_chance_spreads_those_who_come_back(chance: float, wait: float) -> None:
    beats = Beats(THROTTLED, chance=chance)

    beats.beat_for(30)

    assert beats.waits()[0] == wait


def test_with_a_long_interval_one_throttled_pass_does_not_silence_claims_for_as_long() -> None:
    beats = Beats(THROTTLED, interval=300)
    beats.beat_for(1)
    beats.report = PassReport()
    beats.poller.wake()

    beats.beat_for(299)

    assert beats.ran == [0, 20]


def test_with_a_long_interval_too_throttling_alone_puts_no_more_than_two_minutes_between_passes() -> None:
    beats = Beats(THROTTLED, interval=3600)

    beats.beat_for(600)

    assert beats.waits() == [20, 40, 80, 120, 120, 120]


def test_what_a_throttled_pass_was_asked_for_is_made_up_for_though_nobody_asks_again() -> None:
    beats = Beats(PassReport(), interval=300)
    beats.beat_for(10)
    beats.report, beats.bell.news = THROTTLED, True
    beats.beat_for(1)
    beats.report = PassReport()

    beats.beat_for(60)

    assert beats.ran == [0, 10, 30]
