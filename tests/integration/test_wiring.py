"""What bootstrap wires together: every change at AWS hangs on its term's mandate and on no pause."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.bootstrap import pools
from app.bootstrap.clock import SystemClock
from app.domain.controls import Change, Controls
from app.domain.errors import NotLeading
from app.domain.model import DEFAULT_POOL, Limit, PoolName
from app.poller import Jobs
from app.registry.activity import SqlActivity
from app.registry.controls import SqlControls
from app.registry.database import open_database
from app.registry.lifetimes import SqlLifetimes
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.activity import UseWatch
from app.settings import PoolEntry, PoolSettings, Settings
from app.settings.pools import PoolsFile
from app.simulator.cloud import SimulatedCloud
from tests.builders import NOW, a_pool
from tests.fakes import FakeMandate, FakeMeter
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
    belong_to(registry._transactions, {DEFAULT_POOL: Owner("vscode-asg", "us-east-1")})
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
    to_aws = pools.connections(settings, "ec2-orchestrator/me")[DEFAULT_POOL]
    controls = SqlControls(registry._transactions)
    new_jobs = pools.new_jobs(
        settings.pools[DEFAULT_POOL],
        to_aws,
        registry,
        controls,
        SqlLifetimes(registry._transactions),
        activity=SqlActivity(registry._transactions),
        meter=FakeMeter(),
        clock=SystemClock(),
    )
    return new_jobs(mandate)


def pause(registry: SqlRegistry, *, paused: bool = True) -> None:
    SqlControls(registry._transactions).change(
        DEFAULT_POOL, Change(paused=paused), configured=5, expect=None, actor="tester", now=NOW
    )


def asked(cloud: SimulatedCloud) -> set[str]:
    return {action for action in cloud.calls.as_json()["counts"] if not action.startswith(LOOKS)}


def test_a_leader_changes_what_there_is_to_change(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    mandate = FakeMandate()

    jobs(settings, registry, mandate).tick(False, lambda: False)

    assert asked(cloud) == {"SetDesiredCapacity"}
    assert mandate.confirmed == 1


def test_without_its_mandates_confirmation_a_pass_changes_nothing(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    with pytest.raises(NotLeading):
        jobs(settings, registry, Refusing()).tick(False, lambda: False)

    assert asked(cloud) == set()


def test_without_it_the_examination_tries_no_change(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    mandate = FakeMandate()
    term = jobs(settings, registry, mandate)
    term.tick(False, lambda: False)
    cloud.calls.clear()
    mandate.trusted = False

    with pytest.raises(NotLeading):
        term.examine()

    assert asked(cloud) == set()


def test_each_call_says_which_replica_made_it(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    jobs(settings, registry, FakeMandate()).tick(False, lambda: False)

    agents = {call["agent"].split()[-1] for call in cloud.calls.as_json()["calls"]}
    assert agents == {"ec2-orchestrator/me"}


# A pool that an operator paused


def test_a_pass_of_a_paused_pool_changes_nothing(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    pause(registry)

    jobs(settings, registry, FakeMandate()).tick(False, lambda: False)

    assert asked(cloud) == set()
    assert registry.view(DEFAULT_POOL).limited_by is Limit.PAUSED


def test_a_pause_in_the_middle_of_a_pass_stops_the_change_that_was_planned(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    term = jobs(settings, registry, FakeMandate())
    read = SqlControls.controls
    reads: list[PoolName] = []

    def pausing(panel: SqlControls, pool: PoolName) -> Controls:
        """Answer as asked; and once a pass has begun by it, pause the pool."""
        answer = read(panel, pool)
        reads.append(pool)
        if len(reads) == 1:
            pause(registry)
        return answer

    monkeypatch.setattr(SqlControls, "controls", pausing)

    report = term.tick(False, lambda: False)

    assert len(reads) > 1
    assert asked(cloud) == set()
    assert not report.failed
    assert registry.view(DEFAULT_POOL).limited_by is Limit.PAUSED


def test_a_paused_pool_is_not_examined(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    term = jobs(settings, registry, FakeMandate())
    term.tick(False, lambda: False)
    pause(registry)
    cloud.calls.clear()

    term.examine()

    assert cloud.calls.as_json()["counts"] == {}


def test_a_pool_that_was_resumed_is_filled_up(
    settings: Settings, registry: SqlRegistry, cloud: SimulatedCloud
) -> None:
    term = jobs(settings, registry, FakeMandate())
    pause(registry)
    term.tick(False, lambda: False)
    pause(registry, paused=False)

    term.tick(False, lambda: False)

    assert asked(cloud) == {"SetDesiredCapacity"}


# Several pools


def test_pools_of_one_region_share_the_accounts_session_and_budget_and_no_clients(
    settings: Settings, cloud: SimulatedCloud
) -> None:
    entries = {
        DEFAULT_POOL: PoolEntry(group="vscode-asg"),
        PoolName("gpu"): PoolEntry(group="gpu-asg"),
        PoolName("far"): PoolEntry(group="vscode-asg", region="eu-west-1"),
    }
    several = settings.model_copy(update={"pools_file": PoolsFile("pools.toml", entries)})

    to_aws = pools.connections(several)
    ours, gpu, far = (to_aws[PoolName(name)] for name in ("default", "gpu", "far"))

    assert ours._account is gpu._account
    assert far._account is not ours._account
    with ours.reading("ec2:DescribeInstances") as one, gpu.reading("ec2:DescribeInstances") as another:
        assert one.ec2 is not another.ec2


def test_pools_at_rest_look_less_often_where_many_share_a_region(settings: Settings) -> None:
    near = {PoolName(f"p{number}"): PoolEntry(group=f"g{number}") for number in range(19)}
    far = {DEFAULT_POOL: PoolEntry(group="vscode-asg", region="eu-west-1")}

    def resting(poll_interval: float) -> list[float]:
        changes = {"pools_file": PoolsFile("pools.toml", far | near), "poll_interval": poll_interval}
        intervals = pools.intervals(settings.model_copy(update=changes))
        return [intervals[PoolName(name)].total_seconds() for name in ("default", "p0", "p18")]

    assert resting(1) == [1, 7.6, 7.6]
    assert resting(10) == [10, 10, 10]


# Whether the use of allocations is watched


@pytest.mark.parametrize(
    ("pool", "watches"),
    [
        (a_pool(), True),
        (a_pool(readiness="tcp"), False),
        (a_pool(readiness="off"), False),
        (a_pool(readiness="tcp", idle_timeout=3600), True),
    ],
)
def test_use_is_watched_where_instances_speak_http_or_must_tell_it(
    registry: SqlRegistry, pool: PoolSettings, watches: bool
) -> None:
    activity = SqlActivity(registry._transactions)

    made = pools._watch(pool, activity, FakeMandate(), FakeMeter())

    assert isinstance(made, UseWatch) is watches
