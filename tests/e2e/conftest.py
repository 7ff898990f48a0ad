"""A cloud and a service that many tests share, and makers of fresh ones."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.aws import Aws
from tests.e2e.processes import Service

MakeCloud = Callable[..., Aws]
MakeService = Callable[..., Service]


@pytest.fixture
def a_cloud() -> Iterator[MakeCloud]:
    """Start clouds; they end with the test."""
    with ExitStack() as ends:
        yield lambda **changes: ends.enter_context(Aws(**changes))


@pytest.fixture
def a_service(tmp_path: Path) -> Iterator[MakeService]:
    """Start services on one database; they end with the test."""
    with ExitStack() as ends:

        def start(cloud: Aws, **settings: str) -> Service:
            return ends.enter_context(Service(tmp_path / "registry.db", {**cloud.settings, **settings}))

        yield start


@pytest.fixture(scope="session")
def _shared_cloud() -> Iterator[Aws]:
    with Aws() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def _shared_service(_shared_cloud: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    database = tmp_path_factory.mktemp("shared") / "registry.db"
    settings = {**_shared_cloud.settings, "ORCHESTRATOR_POLL_INTERVAL": "1"}
    with Service(database, settings) as service:
        yield service


@pytest.fixture
def cloud(_shared_cloud: Aws) -> Iterator[Aws]:
    """The shared cloud, without faults before and after."""
    yield _shared_cloud
    _shared_cloud.lift_faults()
    _shared_cloud.control("POST", "workers", mode="up")
    _shared_cloud.control("PATCH", "group", boot_seconds=_shared_cloud.config.boot_seconds)


@pytest.fixture
def service(cloud: Aws, _shared_service: Service) -> Service:  # noqa: ARG001 - mends the cloud afterwards
    """The shared service with five idle instances, and with those that earlier tests took."""
    _shared_service.settled(idle=5)
    return _shared_service
