"""What several tests of this folder share: starting a service takes seconds, and many need no fresh one."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.aws import Aws
from tests.e2e.processes import Service


@dataclass(frozen=True)
class Pool:
    """A cloud, and a service that runs on it."""

    cloud: Aws
    service: Service


@pytest.fixture(scope="session")
def _pools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pool, Pool]]:
    """A pool with a pass a second and real pages, and one that polls once an hour; they start together."""
    databases = tmp_path_factory.mktemp("pools")
    with Aws() as often, Aws(worker="none") as rarely:
        every_second = {**often.settings, "ORCHESTRATOR_POLL_INTERVAL": "1"}
        every_hour = {**rarely.settings, "ORCHESTRATOR_POLL_INTERVAL": "3600"}
        with (
            Service(databases / "often.db", every_second) as first,
            Service(databases / "rarely.db", every_hour) as second,
        ):
            for service in (first, second):
                service.launch()
            for service in (first, second):
                service.await_answer()
            yield Pool(often, first), Pool(rarely, second)


@pytest.fixture
def cloud(_pools: tuple[Pool, Pool]) -> Iterator[Aws]:
    """The cloud of `service`, without faults before and after."""
    cloud = _pools[0].cloud
    yield cloud
    cloud.lift_faults()
    cloud.control("POST", "workers", mode="up")
    for instance, found in cloud.members("InService").items():
        if found["worker"] not in {None, "up"}:
            cloud.control("POST", f"instances/{instance}/worker", mode="up")
    cloud.control("PATCH", "group", boot_seconds=cloud.config.boot_seconds)


@pytest.fixture
def service(cloud: Aws, _pools: tuple[Pool, Pool]) -> Service:
    """A service with a pass a second and five idle instances, beside those that earlier tests took."""
    service = _pools[0].service
    service.settled(idle=5)
    return service


@pytest.fixture
def hourly(_pools: tuple[Pool, Pool]) -> Iterator[Pool]:
    """A pool whose service polls once an hour: what happens soon was not the poll."""
    pool = _pools[1]
    if not pool.service.running:
        pool.service.start()
    pool.service.settled(idle=5)
    yield pool
    pool.cloud.lift_faults()
