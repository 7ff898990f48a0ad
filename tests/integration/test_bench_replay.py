"""The AWS of the benchmark: it says of many instances what the simulated cloud says of one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from app.aws import AwsCloud
from app.aws.account import Account
from app.aws.connection import Connection
from app.bootstrap.clock import SystemClock
from app.domain.model import InstanceId, ProjectId
from bench.aws import Aws, Server, aws, members
from bench.population import at_rest, populate
from bench.replay import Answers, Replay
from tests.builders import NOW
from tests.simulated import KEYS, a_simulated_cloud, connected
from tests.waiting import until

LIVING, IDLE = 40, 30


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the registry of a pool at rest."""
    folder = tmp_path_factory.mktemp("bench")
    populate(f"sqlite:///{folder}/registry.db", LIVING, NOW, at_rest(IDLE))
    return folder


@pytest.fixture
def replay(home: Path) -> Iterator[Aws]:
    """One that runs in a thread of this process, and so starts at once."""
    known = members(f"sqlite:///{home}/registry.db")
    with Server(0, Replay(Answers.kept(home / "answers.json"), known, room=5)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Aws(server.server_port)
        finally:
            server.shutdown()
            thread.join()


def a_cloud(connection: Connection) -> AwsCloud:
    return AwsCloud(
        connection, group="vscode-asg", address="public", clock=SystemClock(), confirm=lambda: None
    )


def cloud_of(replay: Aws) -> AwsCloud:
    account = Account(region="us-east-1", keys=KEYS)
    return a_cloud(Connection(account, endpoint_url=replay.settings["AWS_ENDPOINT_URL"]))


def test_a_look_at_it_is_as_one_at_the_simulated_cloud(replay: Aws) -> None:
    with a_simulated_cloud(desired=1, boot_seconds=0) as simulated:
        real = a_cloud(connected(simulated))
        until(lambda: any(one.serviceable for one in real.observe(()).instances.values()))
        expected = real.observe(())
    (pattern,) = expected.instances.values()

    seen = cloud_of(replay).observe(())
    looks = [one for one in seen.instances.values() if one.holder is None]

    assert len(looks) == IDLE
    assert {
        replace(
            look,
            id=pattern.id,
            address=pattern.address,
            zone=pattern.zone,
            launched_at=pattern.launched_at,
            template=pattern.template,
        )
        for look in looks
    } == {pattern}
    assert (seen.complete, seen.notices, seen.group.launches) == (True, (), expected.group.launches)


def test_it_has_what_the_registry_has(replay: Aws) -> None:
    seen = cloud_of(replay).observe(())

    assert seen.group.desired == len(seen.instances) == LIVING
    assert sum(one.holder is not None for one in seen.instances.values()) == LIVING - IDLE
    assert len({one.address for one in seen.instances.values()}) == LIVING


def test_it_launches_at_once_and_tells_of_the_call(replay: Aws) -> None:
    cloud = cloud_of(replay)
    replay.forget()

    cloud.raise_desired(LIVING + 2)

    assert [call.desired for call in replay.calls() if call.action == "SetDesiredCapacity"] == [LIVING + 2]
    seen = cloud.observe(())
    assert len(seen.instances) == LIVING + 2
    assert sum(one.serviceable for one in seen.instances.values()) == IDLE + 2


def test_what_is_written_on_an_instance_is_there(replay: Aws) -> None:
    cloud = cloud_of(replay)
    free = next(one.id for one in cloud.observe(()).instances.values() if one.holder is None)

    cloud.tag_allocation(InstanceId(free), ProjectId("project"), datetime.now(UTC))  # noqa: TID251

    assert cloud.observe(()).instances[free].holder == "project"


def test_nobody_is_left_running(home: Path) -> None:
    with aws(home, f"sqlite:///{home}/registry.db") as running:
        assert running.answers

    assert not running.answers
