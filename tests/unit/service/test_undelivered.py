"""What is told of messages that do not reach the webhook."""

from datetime import timedelta

from app.ports import Backlog
from app.service.undelivered import PATIENCE, undelivered

MOMENT = timedelta(microseconds=1)


def codes(backlog: Backlog) -> list[str]:
    return [notice.code for notice in undelivered(backlog)]


def test_where_everything_arrives_nothing_is_told() -> None:
    assert codes(Backlog()) == []


def test_a_message_that_waits_for_its_next_try_is_no_trouble() -> None:
    assert codes(Backlog(pending=1, oldest=timedelta(days=1), refused=PATIENCE)) == []


def test_a_receiver_may_be_away_for_a_moment() -> None:
    assert codes(Backlog(pending=1, refused=PATIENCE)) == []
    assert codes(Backlog(pending=1, refused=PATIENCE + MOMENT)) == ["webhook-failing"]


def test_messages_that_nobody_tries_are_told_as_well() -> None:
    """A receiver is slow, or the leader knows of none."""
    assert codes(Backlog(pending=1, late=PATIENCE)) == []
    (notice,) = undelivered(Backlog(pending=1, late=PATIENCE + MOMENT))

    assert notice.code == "webhook-failing"
    assert "are more than five minutes late, and 1 waits to be sent" in notice.detail


def test_a_first_refusal_after_a_long_outage_of_ours_is_no_trouble_yet() -> None:
    assert codes(Backlog(pending=1, oldest=timedelta(hours=1), refused=MOMENT)) == []


def test_dead_messages_are_told_until_somebody_sees_to_them() -> None:
    (notice,) = undelivered(Backlog(dead=2))

    assert notice.code == "webhook-dead"
    assert notice.detail.startswith("2 messages were not taken")
    assert "webhooks retry --dead" in notice.detail
