"""A service on loopback that answers what a test says."""

from collections.abc import Iterator

import pytest

from tests.answering import AnsweringService
from tests.unit.cli import wire
from tests.unit.cli.shell import Shell


@pytest.fixture
def service() -> Iterator[AnsweringService]:
    with AnsweringService() as running:
        wire.world(running)
        yield running


@pytest.fixture
def shell(service: AnsweringService) -> Shell:
    return Shell(service.url)
