"""Several pools in real processes: one in trouble leaves the others alone, and comes back by itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

import pytest

from tests.e2e.aws import Aws
from tests.e2e.processes import Service
from tests.waiting import until

SOON = 15.0
"""Seconds for what takes one or two on an idle machine, as three boots do."""
LATER = 60.0
"""Seconds within which a pool is back: what was slowed down by throttling takes its time."""
FILE = """
[pools.default]
group = "vscode-asg"
buffer = 3

[pools.gpu]
group = "gpu-asg"
buffer = 2

[pools.late]
group = "late-asg"
buffer = 1
"""


@dataclass(frozen=True)
class Pools:
    """A service with three pools, of which one has no group yet, and its cloud."""

    cloud: Aws
    service: Service

    def figures(self, pool: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.service.status()["pools"] if one["name"] == pool)
        return found

    def warned(self, pool: str) -> dict[str, str]:
        """The warnings of a pool, by code."""
        return {one["code"]: one["detail"] for one in self.figures(pool)["warnings"]}

    def allocate(self, pool: str, project: str) -> None:
        answer = self.service.http.put(f"/v1/allocations/{project}", json={"pool": pool})
        assert answer.status_code == 201, answer.text
        assert answer.json()["pool"] == pool

    def examined(self, group: str) -> bool:
        """Whether the last of the examination's trials was made."""
        calls = self.cloud.calls.as_json()["calls"]
        asked = {call["action"] for call in calls if call["params"].get("AutoScalingGroupName") == group}
        return "SetInstanceProtection" in asked

    def is_full(self, pool: str) -> bool:
        figures = self.figures(pool)
        return bool(figures["idleMachines"] == figures["buffer"])

    def refill(self, pool: str, project: str) -> float:
        """Take an instance of a full pool; return how many seconds later it is full again."""
        began = monotonic()
        self.allocate(pool, project)
        until(lambda: self.is_full(pool), within=SOON, what=f"{pool} to be refilled")
        return monotonic() - began


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pools]:
    folder = tmp_path_factory.mktemp("several")
    (folder / "pools.toml").write_text(FILE)
    with Aws(worker="none", more_groups=("gpu-asg",)) as cloud:
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_POOLS_FILE": str(folder / "pools.toml"),
            "ORCHESTRATOR_POLL_INTERVAL": "1",
        }
        with Service(folder / "registry.db", settings) as service:
            service.start()
            made = Pools(cloud, service)
            for pool in ("default", "gpu"):
                until(partial(made.is_full, pool), within=LATER, what=f"{pool} to be full")
            # What the one examination finds in the middle of some trouble is told for an hour.
            until(lambda: made.examined("gpu-asg"), within=LATER, what="the examination to be over")
            yield made
            cloud.lift_faults()


def trouble(code: str, status: int, action: str = "*") -> Callable[[Aws], None]:
    rule = {"kind": "error", "code": code, "status": status, "message": "No.", "group": "gpu-asg"}
    return lambda cloud: cloud.fault(action=action, **rule)


def hang(cloud: Aws) -> None:
    cloud.fault(kind="delay", seconds=20, group="gpu-asg")


@pytest.mark.parametrize(
    ("begin", "warning"),
    [
        pytest.param(trouble("Throttling", 400), "aws-throttled", id="throttled"),
        pytest.param(trouble("AccessDenied", 403, "SetDesiredCapacity"), "aws-denied", id="denied"),
        pytest.param(trouble("InternalFailure", 500), "aws-unavailable", id="failing"),
        pytest.param(hang, None, id="hanging"),
    ],
)
def test_a_pool_in_trouble_leaves_the_others_alone_and_comes_back_by_itself(
    pools: Pools, request: pytest.FixtureRequest, begin: Callable[[Aws], None], warning: str | None
) -> None:
    name = request.node.callspec.id
    begin(pools.cloud)
    pools.allocate("gpu", f"gpu-{name}")  # what is idle is handed out all the same

    took = [pools.refill("default", f"{name}-{number}") for number in range(3)]

    assert max(took) < SOON
    assert not pools.is_full("gpu")
    if warning is not None:
        until(lambda: warning in pools.warned("gpu"), within=LATER, what=f"{warning} to be told")
    # A busy machine may spoil one pass; the trouble would spoil all.
    until(lambda: "aws" not in "".join(pools.warned("default")), within=SOON, what="no word of it elsewhere")
    until(lambda: pools.service.http.get("/readyz").status_code == 200, within=SOON, what="it to be ready")
    pools.cloud.lift_faults()
    until(lambda: pools.is_full("gpu"), within=LATER, what="the pool to come back")
    until(lambda: not pools.warned("gpu"), within=LATER, what=f"no warning: {pools.warned('gpu')}")


def test_a_pool_without_a_group_says_so_and_is_filled_once_there_is_one(pools: Pools) -> None:
    missing = until(lambda: pools.warned("late").get("aws-group-missing"), what="the first pass of the pool")
    assert "late-asg" in (missing or "")
    assert pools.figures("late")["limitedBy"] == "aws-errors"

    pools.cloud.control("POST", "groups", name="late-asg")

    until(lambda: pools.is_full("late"), within=LATER)
    assert pools.refill("default", "unimpressed") < SOON


def test_each_pool_hands_out_members_of_its_own_group(pools: Pools) -> None:
    pools.allocate("gpu", "my-model")

    held = pools.service.http.get("/v1/allocations/my-model").json()["instance"]

    tags = pools.cloud.state()["instances"]
    assert next(one["tags"]["aws:autoscaling:groupName"] for one in tags if one["id"] == held) == "gpu-asg"
