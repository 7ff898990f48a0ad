"""What is told of messages that do not reach the webhook."""

from datetime import timedelta

from app.ports import Backlog
from app.service.undelivered import PATIENCE, undelivered
from tests.builders import NOW

MOMENT = timedelta(microseconds=1)


def codes(backlog: Backlog) -> list[str]:
    return [notice.code for notice in undelivered(backlog, NOW)]


def test_where_everything_arrives_nothing_is_told() -> None:
    assert codes(Backlog()) == []


def test_what_was_not_tried_yet_is_no_trouble() -> None:
    assert codes(Backlog(pending=1000, oldest_at=NOW - timedelta(days=1))) == []


def test_a_receiver_may_be_away_for_a_moment() -> None:
    refused = NOW - PATIENCE

    assert codes(Backlog(pending=1, oldest_at=refused, refused_at=refused)) == []
    assert codes(Backlog(pending=1, oldest_at=refused, refused_at=refused - MOMENT)) == ["webhook-failing"]


def test_dead_messages_are_told_until_somebody_sees_to_them() -> None:
    (notice,) = undelivered(Backlog(dead=2), NOW)

    assert notice.code == "webhook-dead"
    assert notice.detail.startswith("2 messages were not taken")
    assert "webhooks retry --dead" in notice.detail
