"""When a message is sent again."""

from datetime import timedelta

import pytest

from app.domain.retries import LONGEST_WISH, PAUSES, SPREAD, again_in

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(("tries", "pause"), list(enumerate(PAUSES, start=1)))
def test_each_pause_is_longer_than_the_one_before(tries: int, pause: timedelta) -> None:
    assert again_in(tries, chance=0.0) == pause


def test_a_message_is_tried_for_almost_three_days() -> None:
    assert timedelta(days=2.5) < sum(PAUSES, timedelta()) < timedelta(days=3)


def test_after_the_last_try_it_is_given_up() -> None:
    assert again_in(len(PAUSES), chance=0.0) is not None
    assert again_in(len(PAUSES) + 1, chance=0.0) is None


def test_chance_makes_a_pause_longer() -> None:
    assert again_in(1, chance=0.5) == PAUSES[0] * (1 + SPREAD / 2)


def test_a_receiver_may_ask_for_more_time() -> None:
    assert again_in(1, chance=0.0, wish=MINUTE) == MINUTE


def test_a_receiver_may_not_ask_for_less() -> None:
    assert again_in(4, chance=0.0, wish=MINUTE) == PAUSES[3]


def test_a_receiver_may_not_ask_for_ever() -> None:
    assert again_in(1, chance=0.0, wish=timedelta(days=365)) == LONGEST_WISH


def test_one_that_is_gone_for_good_is_not_tried_again() -> None:
    assert again_in(1, chance=0.0, gone=True) is None
