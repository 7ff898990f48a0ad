"""`allocate`, `renew`, `confirm`, `release` and `allocations`."""

import json

import pytest

from tests.answering import AnsweringService, Says, problem
from tests.unit.cli import wire
from tests.unit.cli.shell import Shell

ONE = "/v1/allocations/my-project"


def test_allocate_prints_the_url_and_nothing_else(service: AnsweringService, shell: Shell) -> None:
    service.on("PUT", ONE, Says(201, wire.an_allocation()))
    result = shell.run("allocate", "my-project")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "http://54.123.45.67:8080\n", "")
    assert service.asked[0].body == {"wait": 0}


def test_allocate_passes_on_pool_wait_and_time_limit(service: AnsweringService, shell: Shell) -> None:
    service.on("PUT", ONE, Says(201, wire.an_allocation()))
    shell.run("allocate", "my-project", "--pool", "gpu", "--wait", "1m30s", "--ttl", "2h")

    assert service.asked[0].body == {"pool": "gpu", "wait": 60, "ttl": 7200}


def test_allocate_passes_on_when_it_must_be_confirmed(service: AnsweringService, shell: Shell) -> None:
    service.on("PUT", ONE, Says(201, wire.an_allocation()))
    shell.run("allocate", "my-project", "--confirm-within", "1m")

    assert service.asked[0].body == {"wait": 0, "confirmWithin": 60}


def test_an_exhausted_pool_is_refused_with_how_to_wait(service: AnsweringService, shell: Shell) -> None:
    service.on("PUT", ONE, problem(503, "pool-exhausted", "No idle instance.", retry_after="5"))
    result = shell.run("allocate", "my-project")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: No idle instance. To wait for one: --wait 60. "
        "To see why none is idle: ec2-orchestrator status\n"
    )
    assert len(service.asked) == 1


def test_who_waits_gets_what_becomes_idle(service: AnsweringService, shell: Shell) -> None:
    exhausted = problem(503, "pool-exhausted", "No idle instance.", retry_after="0")
    service.on("PUT", ONE, exhausted, Says(201, wire.an_allocation()))

    assert shell.run("allocate", "my-project", "--wait", "30").exit_code == 0


def test_allocations_are_listed(service: AnsweringService, shell: Shell) -> None:
    lines = shell.run("allocations", "--pool", "default").stdout.splitlines()

    assert lines[0].split() == [
        *("PROJECT", "INSTANCE", "URL", "POOL", "SINCE", "ENDS"),
        *("CONFIRM", "BY", "LAST", "USED"),
    ]
    assert lines[1].split()[:3] == ["my-project", "i-0123456789abcdef0", "http://54.123.45.67:8080"]
    assert service.asked[0].query["pool"] == "default"


def test_no_allocations_are_an_empty_list_and_no_table(service: AnsweringService, shell: Shell) -> None:
    service.on("GET", "/v1/allocations", wire.page())
    people = shell.run("allocations")

    assert (people.exit_code, people.stdout, people.stderr) == (0, "", "No project holds an instance.\n")
    assert json.loads(shell.run("allocations", "--json").stdout) == []


def test_renew_tells_until_when(service: AnsweringService, shell: Shell) -> None:
    renewed = wire.an_allocation(expires_at="2026-11-22T22:15:00Z")
    service.on("POST", f"{ONE}/renew", Says(200, renewed))
    result = shell.run("renew", "my-project", "--ttl", "2h")

    assert result.stdout == "my-project holds i-0123456789abcdef0 until 2026-11-22T22:15:00Z (2h).\n"
    assert service.asked[0].body == {"ttl": 7200}


def test_renew_takes_the_time_limit_away(service: AnsweringService, shell: Shell) -> None:
    service.on("POST", f"{ONE}/renew", Says(200, wire.an_allocation()))
    result = shell.run("renew", "my-project", "--ttl", "none")

    assert result.stdout == "my-project holds i-0123456789abcdef0 until it is released.\n"
    assert service.asked[0].body == {"ttl": None}


def test_confirm_says_what_is_confirmed(service: AnsweringService, shell: Shell) -> None:
    service.on("POST", f"{ONE}/confirm", Says(200, wire.an_allocation()))
    result = shell.run("confirm", "my-project")

    assert result.stdout == "my-project holds i-0123456789abcdef0: confirmed.\n"
    assert service.asked[0].body is None


@pytest.mark.parametrize(
    ("asked", "more", "body"), [("confirm", [], {}), ("renew", ["--ttl", "2h"], {"ttl": 7200})]
)
def test_the_instance_that_is_meant_is_sent(
    service: AnsweringService, shell: Shell, asked: str, more: list[str], body: dict[str, object]
) -> None:
    service.on("POST", f"{ONE}/{asked}", Says(200, wire.an_allocation()))
    result = shell.run(asked, "my-project", *more, "--instance", "i-0123456789abcdef0")

    assert result.exit_code == 0
    assert service.asked[0].body == {**body, "instance": "i-0123456789abcdef0"}


def test_an_instance_that_is_none_is_refused_before_anything_is_asked(
    service: AnsweringService, shell: Shell
) -> None:
    result = shell.run("confirm", "my-project", "--instance", "alice")

    assert (result.exit_code, service.asked) == (2, [])
    assert "An instance id looks like i-0123456789abcdef0" in result.stderr


def test_confirming_what_holds_nothing_any_more_is_refused(service: AnsweringService, shell: Shell) -> None:
    service.on("POST", f"{ONE}/confirm", problem(404, "allocation-not-found", "It holds no instance."))

    assert shell.run("confirm", "my-project").exit_code == 1


@pytest.fixture
def releases(service: AnsweringService) -> AnsweringService:
    service.on("DELETE", ONE, Says(202, wire.an_allocation()))
    return service


def test_a_script_that_releases_is_not_asked(releases: AnsweringService, shell: Shell) -> None:
    result = shell.run("release", "my-project")

    assert result.stdout == "my-project is released; i-0123456789abcdef0 is terminating.\n"
    assert [asked.method for asked in releases.asked] == ["DELETE"]


def test_a_person_is_asked_and_told_what_is_lost(releases: AnsweringService, shell: Shell) -> None:
    shell.interactive = True
    result = shell.run("release", "my-project", typed="y\n")

    assert result.exit_code == 0
    assert "my-project has held i-0123456789abcdef0 (54.123.45.67) for 3m." in result.stderr
    assert "lost" in result.stderr
    assert releases.requests("DELETE", ONE)


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_nothing_is_released_unless_a_person_says_yes(
    releases: AnsweringService, shell: Shell, answer: str
) -> None:
    shell.interactive = True
    result = shell.run("release", "my-project", typed=answer)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert not releases.requests("DELETE", ONE)


def test_yes_is_an_answer_in_advance(releases: AnsweringService, shell: Shell) -> None:
    shell.interactive = True

    assert shell.run("release", "my-project", "--yes").exit_code == 0
    assert [asked.method for asked in releases.asked] == ["DELETE"]


def test_releasing_what_holds_nothing_is_refused(service: AnsweringService, shell: Shell) -> None:
    service.on("DELETE", ONE, problem(404, "allocation-not-found", "'my-project' holds no instance."))
    result = shell.run("release", "my-project")

    assert result.exit_code == 1
    assert "ec2-orchestrator allocations" in result.stderr
