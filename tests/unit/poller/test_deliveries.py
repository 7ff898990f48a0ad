"""What is told of messages that could not be sent because of a bug."""

import structlog
from structlog.testing import capture_logs

from tests.unit.poller.world import World


def test_a_bug_is_told_once_and_tried_again(world: World) -> None:
    tried: list[None] = []

    def fail() -> None:
        tried.append(None)
        raise ZeroDivisionError("a bug")

    world.deliver = fail
    world.poller._keep()
    structlog.reset_defaults()
    with capture_logs() as told:
        for _ in range(3):
            world.poller._deliver_messages()

    assert [line["event"] for line in told] == ["webhook.crashed"]
    assert len(tried) == 3
