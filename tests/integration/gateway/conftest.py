"""One cloud and one connection for each file of tests; a new gateway and an empty group for each test."""

from collections.abc import Iterator

import pytest

from app.aws import Connection
from app.simulator.cloud import SimulatedCloud
from tests.integration.gateway.bench import Bench
from tests.simulated import NEVER, a_simulated_cloud, connected


@pytest.fixture(scope="module")
def simulated() -> Iterator[SimulatedCloud]:
    with a_simulated_cloud(max_size=200, retry_seconds=NEVER) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def connection(simulated: SimulatedCloud) -> Connection:
    return connected(simulated)


@pytest.fixture
def bench(simulated: SimulatedCloud, connection: Connection) -> Bench:
    simulated.reset()
    return Bench(simulated, connection)
