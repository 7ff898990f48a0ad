"""The real program against the simulated cloud: what it says, how it ends, and that it changes nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.aws import Aws
from tests.e2e.processes import DEADLINE, HOST, ROOT, Service, a_free_port, environment
from tests.waiting import until

INSTALLED = Path(sys.executable).with_name("ec2-orchestrator")
PATIENCE = 4 * DEADLINE
"""Seconds for one run, which takes two or three on an idle machine."""
LOOKS = ("Describe",)
"""How actions that change nothing begin."""


@dataclass(frozen=True)
class Answer:
    """How the program ended."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)

    def result(self, check: str) -> str:
        """What a doctor found of one thing."""
        found: str = self.finding(check)["result"]
        return found

    def finding(self, check: str) -> dict[str, str]:
        return next(one for one in self.json["findings"] if one["check"] == check)


@dataclass(frozen=True)
class World:
    """A cloud with five idle instances and one in use, and the database of a service that was stopped."""

    cloud: Aws
    settings: dict[str, str]
    folder: Path
    project: str

    def run(self, *arguments: str, **settings: str) -> Answer:
        return run(sys.executable, "-m", "app.cli", *arguments, **{**self.settings, **settings})

    def both(self, *options: str, **settings: str) -> tuple[Answer, Answer]:
        """What doctor (always in JSON) and plan say; one after the other.

        At once, the one that finds the other's WAL may close last, and leave it beside the database.
        """
        return self.run("doctor", "--json", **settings), self.run("plan", *options, **settings)


def run(*command: str, **settings: str) -> Answer:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def _settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("database")
    with Aws() as cloud:
        with Service(
            folder / "registry.db", {**cloud.settings, "ORCHESTRATOR_POLL_INTERVAL": "1"}
        ) as service:
            service.start()
            service.settled(5)
            project, machine = "my-project", service.allocate("my-project")["machineId"]
            service.settled(5, used=1)
            until(
                lambda: cloud.members()[machine]["tags"].get("ec2-orchestrator:project") == project,
                what="the allocation to be written on its instance",
            )
            cloud.control("POST", "workers", mode="up")
            service.terminate()
        yield World(cloud, service.settings, folder, project)


@pytest.fixture
def world(_settled: World) -> Iterator[World]:
    """The world, which is the same afterwards, whatever the test has asked of it."""
    cloud = _settled.cloud
    cloud.control("DELETE", "calls")
    files, state = contents(_settled.folder), cloud.state()["instances"]
    yield _settled
    cloud.lift_faults()
    cloud.control("PATCH", "group", suspended=["AZRebalance"])
    changed = [call["action"] for call in cloud.record() if not call["action"].startswith(LOOKS)]
    assert changed == []
    assert cloud.state()["instances"] == state
    assert contents(_settled.folder) == files


def documented(check: str) -> bool:
    page = (ROOT / "docs" / "howto" / "doctor.md").read_text()
    return f"| `{check}` |" in page or check.startswith("permission ")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_pool_in_good_order_passes_every_check(world: World) -> None:
    answer = world.run("doctor", "--json")

    assert answer.code == 0
    assert {one["check"]: one["result"] for one in answer.json["findings"] if one["result"] != "ok"} == {}
    assert answer.json["failures"] == answer.json["warnings"] == 0
    assert [one["check"] for one in answer.json["findings"] if not documented(one["check"])] == []
    assert "6 of 6" in answer.finding("reachability of instances")["detail"]
    assert answer.errors == ""


def test_the_installed_program_prints_a_report_that_fits_80_columns(world: World) -> None:
    answer = run(str(INSTALLED), "doctor", **world.settings)

    assert answer.code == 0
    assert "\x1b" not in answer.output
    assert max(len(line) for line in answer.output.splitlines()) <= 80
    assert answer.output.endswith(" ok. Nothing stands in the way.\n")


def test_at_rest_the_next_pass_does_nothing(world: World) -> None:
    answer = world.run("plan")

    assert answer.code == 0
    assert "found 6   idle 5   used 1   booting 0   terminating 0   held 0   waiting 0\n" in answer.output
    assert "Desired stays 6: 1 allocated + 0 waiting + 5 buffer = 6.\n" in answer.output
    assert "The next pass would do nothing.\n" in answer.output
    assert answer.errors == ""


def test_a_larger_buffer_is_planned_and_not_carried_out(world: World) -> None:
    answer = world.run("plan", "--json", ORCHESTRATOR_BUFFER="8")

    assert answer.code == 0
    assert [action["action"] for action in answer.json["actions"]] == ["raise-desired"]
    assert answer.json["sizing"]["target"] == 9
    assert answer.json["sizing"]["text"] == (
        "desired rises from 6 to 9: 1 allocated + 0 waiting + 8 buffer = 9"
    )
    assert world.cloud.group()["desired"] == 6


def test_a_hazard_is_a_warning_that_both_tell_and_doctor_how_to_mend(world: World) -> None:
    world.cloud.control("PATCH", "group", suspended=[])

    examined, planned = world.both("--json")

    assert (examined.code, planned.code) == (0, 0)
    assert examined.json["warnings"] == 1
    assert examined.result("zone rebalancing") == "warning"
    assert "suspend-processes" in examined.finding("zone rebalancing")["remedy"]
    assert "group-rebalances" in {warning["code"] for warning in planned.json["warnings"]}


def test_a_permission_that_is_missing_is_found(world: World) -> None:
    for action in ("SetDesiredCapacity", "CreateTags"):
        world.cloud.fault(
            action=action, kind="error", code="AccessDenied", status=403, message="not authorized"
        )

    answer = world.run("doctor", "--json")

    assert answer.code == 1
    assert answer.result("permission autoscaling:SetDesiredCapacity") == "failure"
    assert answer.result("permission ec2:CreateTags") == "warning"
    assert answer.finding("permission autoscaling:SetDesiredCapacity")["remedy"]


def test_credentials_that_aws_does_not_accept_end_both_with_1(world: World) -> None:
    world.cloud.fault(
        action="*", kind="error", code="InvalidClientTokenId", status=403, message="The token is invalid."
    )

    examined, planned = world.both()

    assert (examined.code, planned.code) == (1, 1)
    assert examined.result("AWS credentials and region") == "failure"
    assert examined.result("reachability of instances") == "unknown"
    assert planned.output == ""
    assert len(planned.errors.splitlines()) == 1
    assert "ec2-orchestrator doctor" in planned.errors


def test_while_aws_is_away_the_database_is_examined_all_the_same(world: World) -> None:
    nowhere = {"AWS_ENDPOINT_URL": f"http://{HOST}:{a_free_port()}"}

    examined, planned = world.both(**nowhere)

    assert examined.result("database") == "ok"
    assert examined.result("AWS credentials and region") == "failure"
    assert (examined.code, planned.code) == (1, 1)
    assert len(planned.errors.splitlines()) == 1


def test_closed_ports_are_noticed(world: World) -> None:
    new = {"ORCHESTRATOR_BOOT_TIMEOUT": "86400"}  # they are, however long the tests before this one took

    answer = world.run("doctor", "--json", ORCHESTRATOR_INSTANCE_PORT=str(a_free_port()), **new)

    assert answer.result("reachability of instances") == "warning"  # perhaps they boot
    assert "0 of 6" in answer.finding("reachability of instances")["detail"]


def test_bad_settings_are_told_all_at_once_and_nothing_else_is_looked_at(world: World) -> None:
    bad = {"ORCHESTRATOR_BUFFER": "many", "ORCHESTRATOR_POLL_INTERVAL": "0", "AWS_ACCESS_KEY": ""}

    examined, planned = world.both(**bad)

    assert (examined.code, planned.code) == (1, 1)
    assert {one["result"] for one in examined.json["findings"]} == {"failure"}
    assert len(examined.json["findings"]) == len(bad)
    assert planned.errors.startswith("Error: The settings are not valid.\n")
    assert world.cloud.calls.as_json()["calls"] == []


def test_where_there_is_no_database_none_is_made_and_the_plan_is_that_of_a_first_start(
    world: World, tmp_path: Path
) -> None:
    fresh = {"ORCHESTRATOR_DATABASE_URL": f"sqlite:///{tmp_path}/new/registry.db"}

    examined, planned = world.both("--json", **fresh)

    assert (examined.code, planned.code) == (0, 0)
    assert "does not exist yet" in examined.finding("database")["detail"]
    found = [action["action"] for action in planned.json["actions"]]
    assert sorted(found) == ["adopt", *["discover"] * 5]  # the tags tell of the one in use
    assert planned.json["actions"][found.index("adopt")]["project"] == world.project
    assert list(tmp_path.iterdir()) == []


def test_the_database_of_another_group_is_refused_by_both(world: World) -> None:
    other = {"ORCHESTRATOR_ASG_NAME": "another-asg"}

    examined, planned = world.both(**other)

    assert (examined.code, planned.code) == (1, 1)
    assert examined.result("database group") == "failure"
    assert examined.result("Auto Scaling group") == "failure"
    assert "belongs to the group 'vscode-asg'" in planned.errors


@pytest.mark.parametrize("arguments", [("nonsense",), ("plan", "--nonsense")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    answer = run(sys.executable, "-m", "app.cli", *arguments)

    assert answer.code == 2
    assert "Error: No such" in answer.errors


def test_the_version_is_that_of_the_package() -> None:
    assert run(str(INSTALLED), "--version").output == "ec2-orchestrator 0.1.0\n"
