"""A poller for each test."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.unit.poller.world import World


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """Rendering a traceback in colours takes longer than many a pass."""
    before = structlog.get_config()
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(**{**before, "wrapper_class": silent})
    yield
    structlog.configure(**before)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
def running(world: World) -> World:
    """A poller whose first pass is over, and which has nothing to do."""
    world.poller.start()
    world.passes.until_finished(1)
    return world
