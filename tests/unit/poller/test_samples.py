"""What is told of samples that could not be taken."""

import structlog
from structlog.testing import capture_logs

from app.domain.errors import RegistryUnavailable
from tests.unit.poller.world import World


def told_of(world: World, *faults: Exception | None) -> list[str]:
    """Have samples end like this one after the other, and return what was logged of them."""
    left = list(faults)

    def sample() -> None:
        if left and (fault := left.pop(0)) is not None:
            raise fault

    world.sample = sample
    world.poller._keep()
    structlog.reset_defaults()
    with capture_logs() as told:
        for _ in faults:
            world.poller._take_samples()
    return [line["event"] for line in told]


def test_a_bug_is_told_once_and_tried_again(world: World) -> None:
    bug = ZeroDivisionError("a bug")

    assert told_of(world, bug, bug, bug) == ["samples.crashed"]


def test_a_bug_that_comes_back_is_told_again(world: World) -> None:
    bug = ZeroDivisionError("a bug")

    assert told_of(world, bug, None, bug) == ["samples.crashed"] * 2


def test_a_database_that_is_away_is_told_by_the_passes(world: World) -> None:
    assert told_of(world, RegistryUnavailable("no answer")) == []
