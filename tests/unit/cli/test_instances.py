"""`instances`, `destroy`, `hold` and `unhold`."""

import json
from typing import Any

import pytest

from tests.answering import AnsweringService, Says, problem
from tests.unit.cli import wire
from tests.unit.cli.shell import Shell

ONE = "/v1/instances/i-0123456789abcdef0"


def test_instances_are_listed_and_may_be_chosen(service: AnsweringService, shell: Shell) -> None:
    lines = shell.run("instances", "--pool", "gpu", "--state", "booting").stdout.splitlines()

    assert len(lines) == 6
    assert lines[0].split() == [
        *("INSTANCE", "STATE", "PROJECT", "SINCE", "ADDRESS", "ZONE", "POOL", "WHY"),
        *("LAST", "USED"),
    ]
    assert service.asked[0].query == {"pool": "gpu", "state": "booting", "limit": "500"}


def test_a_program_gets_a_plain_list(shell: Shell) -> None:
    told = json.loads(shell.run("instances", "--json").stdout)

    assert [one["id"][-1] for one in told] == ["1", "2", "3", "4", "5"]


def test_of_one_instance_all_is_told(service: AnsweringService, shell: Shell) -> None:
    hold = {"since": wire.NOW, "by": "token:ops", "until": None, "reason": "odd"}
    service.on("GET", ONE, Says(200, wire.an_instance(hold=hold)))
    told = shell.run("instances", "i-0123456789abcdef0").stdout

    assert "state:      idle held\n" in told
    assert "since:      2026-11-22T20:14:18Z (42s ago)\n" in told
    assert "held by:    token:ops\n" in told
    assert "held until: it is let go\n" in told
    assert "project" not in told


def test_of_an_allocated_instance_its_ends_and_its_last_use_are_told(
    service: AnsweringService, shell: Shell
) -> None:
    found = wire.an_instance(
        state="allocated", confirm_by="2026-11-22T20:16:00Z", last_activity_at="2026-11-22T20:14:00Z"
    )
    service.on("GET", ONE, Says(200, found))
    told = shell.run("instances", "i-0123456789abcdef0").stdout

    assert "confirm by: 2026-11-22T20:16:00Z (in 1m)\n" in told
    assert "last used:  2026-11-22T20:14:00Z (1m ago)\n" in told


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (
            {"state": "allocated", "project": "my-project"},
            "my-project holds i-0123456789abcdef0 and loses it",
        ),
        ({"state": "allocated", "project": None}, "somebody unknown holds i-0123456789abcdef0"),
        ({"state": "idle", "project": None}, "is idle, and held by no project"),
    ],
)
def test_before_an_instance_is_destroyed_a_person_is_told_what_is_lost(
    service: AnsweringService, shell: Shell, found: dict[str, Any], says: str
) -> None:
    service.on("GET", ONE, Says(200, wire.an_instance(**found)))
    shell.interactive = True
    result = shell.run("destroy", "i-0123456789abcdef0", typed="n\n")

    assert result.exit_code == 1
    assert says in " ".join(result.stderr.split())
    assert not service.requests("DELETE", ONE)


def test_a_script_that_destroys_is_not_asked(service: AnsweringService, shell: Shell) -> None:
    ending = wire.an_instance(state="terminating", project="my-project")
    service.on("DELETE", ONE, Says(202, ending))
    result = shell.run("destroy", "i-0123456789abcdef0")

    assert result.stdout == "i-0123456789abcdef0 is terminating; my-project has lost it.\n"
    assert [asked.method for asked in service.asked] == ["DELETE"]


def test_an_instance_is_held_with_reason_and_time(service: AnsweringService, shell: Shell) -> None:
    hold = {"since": wire.NOW, "by": "token:ops", "until": "2026-11-22T22:15:00Z", "reason": "odd"}
    service.on("PUT", f"{ONE}/hold", Says(200, wire.an_instance(hold=hold)))
    result = shell.run("hold", "i-0123456789abcdef0", "--ttl", "2h", "--reason", "odd")

    assert service.asked[0].body == {"ttl": 7200, "reason": "odd"}
    assert result.stdout == (
        "i-0123456789abcdef0 (idle) is held until 2026-11-22T22:15:00Z, or until you let go: "
        "ec2-orchestrator unhold i-0123456789abcdef0\n"
    )


def test_an_instance_is_let_go(service: AnsweringService, shell: Shell) -> None:
    service.on("DELETE", f"{ONE}/hold", Says(200, wire.an_instance()))

    assert shell.run("unhold", "i-0123456789abcdef0").stdout == (
        "i-0123456789abcdef0 (idle) is no longer held.\n"
    )


def test_what_is_not_an_instance_is_refused_with_where_to_look(
    service: AnsweringService, shell: Shell
) -> None:
    service.on("DELETE", "/v1/instances/i-1", problem(400, "invalid-instance-id", "An instance id looks ..."))

    assert shell.run("destroy", "i-1").exit_code == 1
