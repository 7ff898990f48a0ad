"""`watch` where the output is no terminal: a line for each change. At a terminal: tests/e2e."""

import json

from tests.answering import AnsweringService, Says, problem
from tests.unit.cli import wire
from tests.unit.cli.shell import Shell

BEFORE = (
    "idle=4  buffer=5  waiting=0  allocated=2  booting=1  terminating=0  held=1  desired=7  paused=no  "
    "limited=-"
)
LINE = f"2026-11-22T20:15:00Z  default  {BEFORE}  warnings=-\n"


def nothing() -> None:
    pass


def test_ctrl_c_ends_it_with_success(shell: Shell) -> None:
    result = shell.run("watch")

    assert (result.exit_code, result.stdout, result.stderr) == (0, LINE, "")


def test_what_stays_as_it_is_is_told_once(shell: Shell) -> None:
    shell.pauses = [nothing, nothing]

    assert shell.run("watch").stdout == LINE


def test_each_change_is_a_line(service: AnsweringService, shell: Shell) -> None:
    shell.pauses = [lambda: service.on("GET", "/status", Says(200, wire.a_status(idle_machines=5)))]

    assert shell.run("watch").stdout == LINE + LINE.replace("idle=4", "idle=5")


def test_while_the_service_is_away_it_says_so_once_and_goes_on(
    service: AnsweringService, shell: Shell
) -> None:
    def back() -> None:
        service.on("GET", "/status", Says(200, wire.a_status(idle_machines=5)))

    away = problem(503, "registry-unavailable", "The database is away.")
    shell.pauses = [lambda: service.on("GET", "/status", away), nothing, back]
    result = shell.run("watch")

    assert result.exit_code == 0
    assert result.stdout == (
        f"{LINE}2026-11-22T20:15:00Z  away  The database is away.\n{LINE.replace('idle=4', 'idle=5')}"
    )


def test_a_token_that_is_revoked_meanwhile_ends_it(service: AnsweringService, shell: Shell) -> None:
    refused = problem(401, "unauthenticated", "This token is revoked.")
    shell.pauses = [lambda: service.on("GET", "/status", refused), nothing]
    result = shell.run("watch")

    assert result.exit_code == 1
    assert "This token is revoked." in result.stderr


def test_a_service_that_is_away_from_the_start_is_an_error(service: AnsweringService, shell: Shell) -> None:
    service.on("GET", "/status", problem(503, "registry-unavailable", "The database is away."))

    assert shell.run("watch").exit_code == 1


def test_a_program_gets_a_document_a_line(shell: Shell) -> None:
    (line,) = shell.run("watch", "--json").stdout.splitlines()

    assert json.loads(line) == wire.a_status()
