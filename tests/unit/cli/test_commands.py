"""The commands: what they print for a person and for a program, and how they end."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.bootstrap import Inspection
from app.cli.program import program
from app.domain.actions import Discover, RaiseDesired
from app.domain.errors import (
    CloudUnavailable,
    OrchestratorError,
    RegistryUnavailable,
    RegistryUnusable,
    SettingsInvalid,
)
from app.domain.finding import Finding, Verdict
from app.domain.model import DEFAULT_POOL, Hold, InstanceState, Limit, Notice, Policy, PoolName
from app.domain.plan import Plan
from app.domain.settled import Unsettled
from app.domain.sizing import Sizing
from app.service.doctor import Doctor, PoolDoctor
from app.service.preview import Preview
from app.settings import PoolEntry, PoolSettings, Settings
from app.settings.pools import PoolsFile
from tests.builders import NOW, a_look, a_pool, an_instance, an_observation
from tests.fakes import FakeClock, FakeCloud, FakeProber

SETTINGS = Settings.model_construct(asg_name="vscode-asg", aws_region="eu-west-1", buffer=5)
SEVERAL = SETTINGS.model_copy(
    update={
        "pools_file": PoolsFile(
            "pools.toml",
            {
                DEFAULT_POOL: PoolEntry(group="vscode-asg"),
                PoolName("gpu"): PoolEntry(group="gpu-asg", region="eu-central-1"),
            },
        )
    }
)
LONG = (
    "A maximum instance lifetime is set: AWS replaces instances that reach it, whether somebody works on "
    "them or not, at any time."
)
COMMAND = (
    "aws autoscaling update-auto-scaling-group --auto-scaling-group-name vscode-asg --max-instance-lifetime "
    "0 --region eu-west-1"
)
FINE = Finding(check="group", verdict=Verdict.OK, detail="It exists.")
HAZARD = Finding(check="lifetime", verdict=Verdict.WARNING, detail=LONG, remedy=COMMAND)
BROKEN = Finding(
    check="database [main]", verdict=Verdict.FAILURE, detail="It cannot be read.", remedy="Correct the URL."
)


class Findings:
    """A preflight that found just this."""

    def __init__(self, *findings: Finding) -> None:
        self._findings = findings

    def examine(self, buffer: int) -> tuple[Finding, ...]:
        return self._findings


def a_doctor(*findings: Finding, pools: tuple[PoolSettings, ...] = (a_pool(),)) -> Doctor:
    return Doctor(
        [
            PoolDoctor(
                pool,
                preflight=Findings(*findings),
                cloud=FakeCloud(desired=2, boot_looks=0),
                prober=FakeProber(),
                clock=FakeClock(),
            )
            for pool in pools
        ],
        warnings=(),
        database=tuple,
    )


def a_preview(*, notices: tuple[Notice, ...] = (), limited_by: Limit | None = None, **plan: Any) -> Preview:
    used, idle, new = (
        an_instance(state=InstanceState.ALLOCATED),
        an_instance(state=InstanceState.IDLE),
        a_look(),
    )
    seen, known = an_observation(a_look(id=used.id), a_look(id=idle.id), new), {used.id: used, idle.id: idle}
    sizing = Sizing(allocated=1, waiting=2, current=3, wanted=8, target=8, limited_by=limited_by)
    actions = (Discover(new), RaiseDesired(3, 8))
    return Preview(
        policy=Policy(),
        seen=seen,
        known=known,
        rest=Unsettled.of(seen, known),
        waiting=2,
        todo=Plan(**{"actions": actions, "sizing": sizing, "notices": notices, **plan}),
    )


def run(
    *arguments: str,
    load: Callable[[], Settings] = lambda: SETTINGS,
    findings: tuple[Finding, ...] = (),
    preview: Callable[[], Preview] = a_preview,
    pools: tuple[PoolSettings, ...] = (a_pool(),),
    **environment: str,
) -> Result:
    commands = program(load, lambda _: Inspection(a_doctor(*findings, pools=pools), lambda _pool: preview()))
    return CliRunner(env=environment).invoke(commands, list(arguments))


def refusing(error: Exception) -> Callable[[], Any]:
    def refuse() -> Any:
        raise error

    return refuse


# doctor


def test_a_doctor_who_finds_nothing_wrong_ends_with_success() -> None:
    result = run("doctor", findings=(FINE,))

    assert result.exit_code == 0
    assert "ok       group: It exists.\n" in result.output
    assert result.output.endswith("\n3 checks: 3 ok. Nothing stands in the way.\n")


def test_a_warning_is_no_failure() -> None:
    result = run("doctor", findings=(FINE, HAZARD))

    assert result.exit_code == 0
    assert "warning  lifetime: A maximum instance lifetime is set" in result.output
    assert "4 checks: 1 warning, 3 ok." in result.output


def test_a_failure_ends_with_1_and_says_how_to_mend_it() -> None:
    result = run("doctor", findings=(BROKEN, BROKEN, HAZARD))

    assert result.exit_code == 1
    assert (
        "failure  database [main]: It cannot be read.\n         To mend: Correct the URL.\n" in result.output
    )
    assert "2 failures, 1 warning, 2 ok. The service cannot do its job like this." in " ".join(
        result.output.split()
    )


def test_lines_fit_80_columns_without_colour_but_a_command_stays_whole() -> None:
    lines = run("doctor", findings=(HAZARD, BROKEN)).output.splitlines()

    assert "\x1b" not in "".join(lines)
    assert f"         To mend: {COMMAND}" in lines
    assert max(len(line) for line in lines if COMMAND not in line) <= 80
    assert all(line == line.rstrip() for line in lines)


def test_what_could_be_better_is_not_called_broken() -> None:
    better = Finding(check="group", verdict=Verdict.OK, detail="Fine.", remedy="Suspend it.")

    assert "Better: Suspend it." in run("doctor", findings=(better,)).output


def test_a_program_gets_the_same_from_doctor_as_json() -> None:
    result = run("doctor", "--json", findings=(HAZARD, BROKEN))
    told = json.loads(result.stdout)

    assert result.exit_code == 1
    assert set(told) == {"findings", "failures", "warnings"}
    assert (told["failures"], told["warnings"]) == (1, 1)
    assert told["findings"][1] == {
        "check": "lifetime",
        "pool": "default",
        "result": "warning",
        "detail": LONG,
        "remedy": COMMAND,
    }


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_bad_settings_are_findings_too_every_fault_at_once(options: tuple[str, ...]) -> None:
    result = run("doctor", *options, load=refusing(SettingsInvalid("A=1: too small\nB=x: no number")))

    assert result.exit_code == 1
    assert "A=1: too small" in result.stdout
    assert "B=x: no number" in result.stdout
    if options:
        assert json.loads(result.stdout)["failures"] == 2


def test_each_of_several_pools_has_a_heading_and_one_pool_has_none() -> None:
    both = (a_pool(file="pools.toml"), a_pool("gpu", file="pools.toml"))

    lines = run("doctor", findings=(FINE,), pools=both).output.splitlines()

    assert [line for line in lines if line.startswith("Pool ")] == ["Pool default", "Pool gpu"]
    assert "Pool default" not in run("doctor", findings=(FINE,)).output


def test_a_doctor_can_be_asked_about_one_pool() -> None:
    both = (a_pool(file="pools.toml"), a_pool("gpu", file="pools.toml"))

    told = json.loads(run("doctor", "--json", "--pool", "gpu", findings=(FINE,), pools=both).stdout)

    assert {finding["pool"] for finding in told["findings"]} == {None, "gpu"}


def test_a_doctor_who_is_asked_about_a_pool_that_is_not_there_says_which_are() -> None:
    result = run("doctor", "--pool", "gpu")

    assert result.exit_code == 1
    assert "The settings name no pool 'gpu'. There are: default." in result.stderr


# plan


def test_a_plan_is_made_for_the_pool_that_is_asked_for() -> None:
    result = run("plan", "--pool", "gpu", load=lambda: SEVERAL)

    assert result.output.startswith("Group gpu-asg in eu-central-1, pool gpu\n")


def test_a_plan_tells_figures_arithmetic_and_every_action() -> None:
    result = run("plan")
    new = json.loads(run("plan", "--json").stdout)["actions"][0]

    assert result.exit_code == 0
    assert result.output.startswith("Group vscode-asg in eu-west-1, pool default\n")
    assert "found 3   idle 1   used 1   booting 0   terminating 0   held 0   waiting 2\n" in result.output
    assert "desired 3   min 0   max 20   buffer 5\n" in result.output
    assert "Desired rises from 3 to 8: 1 allocated + 2 waiting + 5 buffer = 8.\n" in result.output
    assert new["action"] == "discover"
    assert "  2. raise desired capacity from 3 to 8\n" in result.output
    assert result.output.endswith("2 actions, no warnings. Nothing was changed.\n")


def test_a_plan_tells_what_is_on_hold_apart_from_what_is_idle() -> None:
    kept = an_instance(state=InstanceState.IDLE, hold=Hold(since=NOW, by="token:ops"))
    result = run("plan", preview=lambda: replace(a_preview(), known={kept.id: kept}))

    assert "idle 0   used 0   booting 0   terminating 0   held 1   waiting 2\n" in result.output


def test_a_plan_for_a_world_at_rest_says_so() -> None:
    result = run("plan", preview=lambda: a_preview(actions=()))

    assert "The next pass would do nothing.\n" in result.output
    assert "No actions, no warnings. Nothing was changed.\n" in result.output


def test_notices_of_a_plan_are_warnings() -> None:
    notice = Notice(code="group-limits-lifetime", detail=LONG)
    result = run("plan", preview=lambda: a_preview(notices=(notice,)))

    assert result.exit_code == 0
    assert "warning  group-limits-lifetime: A maximum instance lifetime is set" in result.output
    assert "2 actions, 1 warning." in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_a_program_gets_the_same_from_plan_as_json() -> None:
    notice = Notice(code="a-code", detail="A sentence.")
    told = json.loads(
        run("plan", "--json", preview=lambda: a_preview(notices=(notice,), limited_by=Limit.CAPACITY)).stdout
    )

    assert set(told) == {"pool", "group", "region", "figures", "sizing", "actions", "warnings"}
    assert told["figures"] == {
        "found": 3,
        "idle": 1,
        "used": 1,
        "booting": 0,
        "terminating": 0,
        "held": 0,
        "waiting": 2,
        "desired": 3,
        "minSize": 0,
        "maxSize": 20,
        "buffer": 5,
    }
    assert told["sizing"] == {
        "allocated": 1,
        "waiting": 2,
        "buffer": 5,
        "wanted": 8,
        "current": 3,
        "target": 8,
        "limitedBy": "capacity",
        "text": "desired rises from 3 to 8: 1 allocated + 2 waiting + 5 buffer = 8; "
        "yet AWS has no more instances of this type",
    }
    assert told["actions"][1] == {
        "action": "raise-desired",
        "instances": [],
        "project": None,
        "text": "raise desired capacity from 3 to 8",
    }
    assert told["warnings"] == [{"code": "a-code", "detail": "A sentence."}]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (CloudUnavailable("no connection to AWS."), "To see what to mend: ec2-orchestrator doctor"),
        (RegistryUnavailable("It does not answer."), "To see what to mend: ec2-orchestrator doctor"),
        (RegistryUnusable("Start the service first."), "Start the service first."),
        (ValueError("out of cheese"), "This is a bug, please report it: ValueError: out of cheese"),
    ],
)
def test_what_keeps_a_plan_from_being_made_is_one_line_on_standard_error(error: Exception, says: str) -> None:
    result = run("plan", "--json", preview=refusing(error))

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_bad_settings_are_told_all_at_once_where_a_plan_is_asked_for() -> None:
    error: OrchestratorError = SettingsInvalid("A=1: too small\nB=x: no number")
    result = run("plan", load=refusing(error))

    assert result.exit_code == 1
    assert result.stderr == "Error: The settings are not valid.\nA=1: too small\nB=x: no number\n"


# the program


@pytest.mark.parametrize("arguments", [("nonsense",), ("doctor", "--nonsense"), ("plan", "now"), ()])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("command", ["doctor", "plan"])
def test_every_command_has_help_with_examples_and_is_listed_with_a_sentence(command: str) -> None:
    own, listed = run(command, "--help"), run("-h")

    assert (own.exit_code, listed.exit_code) == (0, 0)
    assert f"  ec2-orchestrator {command} --json" in own.output
    assert any(line.startswith(f"  {command} ") and line.endswith(".") for line in listed.output.splitlines())


def test_the_version_is_told_in_one_line() -> None:
    result = run("--version")

    assert result.exit_code == 0
    assert result.output.startswith("ec2-orchestrator ")
    assert len(result.output.splitlines()) == 1
