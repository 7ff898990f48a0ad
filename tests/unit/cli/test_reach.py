"""How commands find the service, and what they say where it cannot be had."""

import json
from dataclasses import replace

import pytest

from tests.answering import AnsweringService, Says, problem
from tests.unit.cli import wire
from tests.unit.cli.shell import Shell


def token_sent(service: AnsweringService) -> str | None:
    return service.asked[-1].headers.get("Authorization")


def test_url_and_token_come_from_the_environment(service: AnsweringService, shell: Shell) -> None:
    assert shell.run("pools", ORCHESTRATOR_TOKEN="from-environment").exit_code == 0
    assert token_sent(service) == "Bearer from-environment"


@pytest.mark.parametrize("before", [True, False])
def test_options_win_before_the_command_and_behind_it(
    service: AnsweringService, nobody: str, before: bool
) -> None:
    options = ("--url", service.url, "--token", "from-option")
    arguments = (*options, "pools") if before else ("pools", *options)

    assert Shell(nobody).run(*arguments, ORCHESTRATOR_TOKEN="from-environment").exit_code == 0
    assert token_sent(service) == "Bearer from-option"


def test_an_option_behind_the_command_wins_over_one_before_it(
    service: AnsweringService, shell: Shell
) -> None:
    assert shell.run("--token", "first", "pools", "--token", "second").exit_code == 0
    assert token_sent(service) == "Bearer second"


def test_without_a_token_none_is_sent(service: AnsweringService, shell: Shell) -> None:
    assert shell.run("pools", ORCHESTRATOR_TOKEN="").exit_code == 0
    assert token_sent(service) is None


def test_a_service_that_is_not_there_is_named_and_how_to_name_another(nobody: str) -> None:
    result = Shell(nobody).run("status")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"Error: {nobody} does not answer: connection refused. Does the service run there? "
        "Another place: --url, or ORCHESTRATOR_URL\n"
    )


REFUSALS = [
    (problem(401, "unauthenticated", "A token is needed."), "ec2-orchestrator token create"),
    (problem(403, "forbidden", "This takes the role admin."), "This takes the role admin. It needs a token"),
    (problem(404, "pool-not-found", "There is no pool 'x'."), "ec2-orchestrator pools"),
    (problem(503, "registry-unavailable", "The database is away."), "Try again in a moment"),
    (
        replace(problem(500, "internal-error", "A bug."), headers={"X-Request-ID": "r-4711"}),
        "A bug. The service's log tells of it as request r-4711.",
    ),
    (problem(418, "something-new", "Cannot do that"), "Cannot do that."),
    (Says(200, "<html></html>", kind="text/html"), "is not an EC2 Orchestrator"),
    (Says(302, "", {"Location": "https://login.example/"}), "https://login.example/"),
]


@pytest.mark.parametrize(("answer", "says"), REFUSALS)
def test_a_refusal_is_one_line_on_standard_error_with_what_to_do(
    service: AnsweringService, shell: Shell, answer: Says, says: str
) -> None:
    service.on("GET", "/v1/pools/default", answer)
    result = shell.run("buffer", "--json")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_change_whose_answer_is_lost_is_told_to_be_in_doubt(
    service: AnsweringService, shell: Shell
) -> None:
    service.on("PATCH", "/v1/pools/default", Says(hangs_up=True))
    result = shell.run("pause")

    assert result.exit_code == 1
    assert "whether it has done what was asked is not known" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url", "localhost:9092", "status"),
        ("--token", "with space", "status"),
        ("allocate", ""),
        ("allocate",),
        ("allocate", "p", "--wait", "soon"),
        ("allocate", "p", "--ttl", "0"),
        ("renew", "p"),
        ("buffer", "-1"),
        ("buffer", "3", "--reset"),
        ("buffer", "many"),
        ("pause", "--all", "--pool", "gpu"),
        ("instances", "--state", "asleep"),
        ("events", "--limit", "0"),
        ("completion", "tcsh"),
        ("statsu",),
    ],
)
def test_wrong_usage_ends_with_2_and_asks_nothing(
    service: AnsweringService, shell: Shell, arguments: tuple[str, ...]
) -> None:
    result = shell.run(*arguments)

    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert service.asked == []


def test_a_secret_in_a_bad_url_or_token_is_not_repeated(shell: Shell) -> None:
    assert "geheim" not in shell.run("--url", "http://u:geheim@host", "status").output
    assert "geheim" not in shell.run("status", ORCHESTRATOR_TOKEN="geheim mit leer").output


def test_a_misspelt_command_is_answered_with_those_that_look_like_it(shell: Shell) -> None:
    assert "status" in shell.run("statsu").stderr


JSON = [
    ("status", "GET", "/status", wire.a_status()),
    ("allocate my-project", "PUT", "/v1/allocations/my-project", wire.an_allocation()),
    ("renew my-project --ttl 1h", "POST", "/v1/allocations/my-project/renew", wire.an_allocation()),
    ("release my-project", "DELETE", "/v1/allocations/my-project", wire.an_allocation()),
    ("instances i-1", "GET", "/v1/instances/i-1", wire.an_instance()),
    ("destroy i-1", "DELETE", "/v1/instances/i-1", wire.an_instance()),
    ("hold i-1", "PUT", "/v1/instances/i-1/hold", wire.an_instance()),
    ("unhold i-1", "DELETE", "/v1/instances/i-1/hold", wire.an_instance()),
    ("buffer 8", "PATCH", "/v1/pools/default", wire.a_pool()),
]


@pytest.mark.parametrize(("command", "method", "path", "answer"), JSON)
def test_with_json_a_command_prints_what_the_service_answered(
    command: str, method: str, path: str, answer: dict[str, object]
) -> None:
    with AnsweringService() as service:
        service.on(method, path, Says(200, answer))
        result = Shell(service.url).run(*command.split(), "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == answer
