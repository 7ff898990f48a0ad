"""What bootstrap wires together: every change at AWS hangs on the mandate of its term."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from app import bootstrap
from app.domain.errors import NotLeading
from app.poller import Jobs
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.settings import Settings
from app.simulator.cloud import SimulatedCloud
from tests.fakes import FakeMandate
from tests.simulated import a_simulated_cloud

LOOKS = "Describe"


class Refusing(FakeMandate):
    """Is trusted for each step, and confirms no change."""

    def confirm(self) -> None:
        raise NotLeading("another leads")


@pytest.fixture
def cloud() -> Iterator[SimulatedCloud]:
    with a_simulated_cloud() as cloud:
        yield cloud


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqlRegistry]:
    registry = SqlRegistry(Transactions(open_database(f"sqlite:///{tmp_path}/registry.db")))
    yield registry
    registry.close()


@pytest.fixture
def settings(cloud: SimulatedCloud, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    return Settings(
        aws_access_key="simulated",
        aws_secret_key=SecretStr("simulated"),
        aws_region=cloud.config.region,
        asg_name=cloud.config.group,
    )


def jobs(settings: Settings, registry: SqlRegistry, mandate: FakeMandate) -> Jobs:
    return bootstrap._jobs(settings, registry, bootstrap.SystemClock(), agent="ec2-orchestrator/me")(mandate)


def asked(cloud: SimulatedCloud) -> set[str]:
    return {action for action in cloud.calls.as_json()["counts"] if not action.startswith(LOOKS)}


def test_a_leader_changes_what_there_is_to_change(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    mandate = FakeMandate()

    jobs(settings, registry, mandate).tick()

    assert asked(cloud) == {"SetDesiredCapacity"}
    assert mandate.confirmed == 1


def test_without_its_mandates_confirmation_a_pass_changes_nothing(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    with pytest.raises(NotLeading):
        jobs(settings, registry, Refusing()).tick()

    assert asked(cloud) == set()


def test_without_it_the_examination_tries_no_change(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    mandate = FakeMandate()
    term = jobs(settings, registry, mandate)
    term.tick()
    cloud.calls.clear()
    mandate.trusted = False

    with pytest.raises(NotLeading):
        term.examine()

    assert asked(cloud) == set()


def test_each_call_says_which_replica_made_it(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    jobs(settings, registry, FakeMandate()).tick()

    agents = {call["agent"].split()[-1] for call in cloud.calls.as_json()["calls"]}
    assert agents == {"ec2-orchestrator/me"}
