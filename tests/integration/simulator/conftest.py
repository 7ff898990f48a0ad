"""One cloud for each file of tests, as it was at the start for each test."""

from collections.abc import Iterator

import pytest

from app.simulator.cloud import SimulatedCloud
from tests.integration.simulator.account import (
    Aws,
    a_config,
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[SimulatedCloud]:
    with SimulatedCloud(a_config()) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def account(cloud: SimulatedCloud) -> Iterator[Aws]:
    account = Aws(cloud)
    yield account
    account.close()


@pytest.fixture
def aws(account: Aws) -> Aws:
    account.cloud.reset()
    return account
