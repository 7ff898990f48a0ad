"""The program: its help, and what shells complete."""

import subprocess
import sys
from typing import Any

import click
import pytest

from app.cli.program import program
from app.cli.sections import Program
from tests.answering import AnsweringService, Says
from tests.unit.cli.shell import Shell


def the_program() -> Program:
    def unused(*_: Any) -> Any:
        raise AssertionError("not for its help")

    made = program(unused, unused)
    assert isinstance(made, Program)
    return made


COMMANDS = {entry.name: entry for entries in the_program().sections.values() for entry in entries}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_listed_with_its_own_summary(name: str) -> None:
    command = COMMANDS[name].load()

    assert (command.name, command.short_help) == (name, COMMANDS[name].summary)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_that_explains_every_option_with_examples(name: str, shell: Shell) -> None:
    command = COMMANDS[name].load()
    told = shell.run(name, "-h")

    assert told.exit_code == 0
    if not isinstance(command, click.Group):
        options = [one for one in command.params if isinstance(one, click.Option)]
        assert [one.name for one in options if not one.help] == []
        assert f"ec2-orchestrator {name}" in told.stdout


def test_the_list_of_commands_fits_80_columns_in_sections(shell: Shell) -> None:
    told = shell.run("--help").stdout
    lines = told.splitlines()

    assert [line for line in lines if len(line) > 80] == []
    assert all(f"{title}:" in lines for title in the_program().sections)
    assert all(f"  {entry.name}" in told and entry.summary in told for entry in COMMANDS.values())


def test_help_imports_neither_models_nor_aws_nor_the_database() -> None:
    heavy = "{'pydantic', 'urllib3', 'boto3', 'sqlalchemy', 'flask', 'structlog', 'rich'}"
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom app.cli.program import program\n"
        "assert CliRunner().invoke(program(None, None), ['--help']).exit_code == 0\n"
        f"print(sorted({heavy} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: Shell, kind: str) -> None:
    told = shell.run("completion", kind)

    assert told.exit_code == 0
    assert f"={kind}_complete" in told.stdout


def completed(shell: Shell, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    result = shell.run(
        _EC2_ORCHESTRATOR_COMPLETE="bash_complete",
        COMP_WORDS=" ".join(("ec2-orchestrator", *words)),
        COMP_CWORD=str(len(words)),
    )
    return [line.partition(",")[2] for line in result.stdout.split()]


def test_commands_and_options_are_completed(shell: Shell) -> None:
    assert completed(shell, "al") == ["allocate", "allocations"]
    assert "--wait" in completed(shell, "allocate", "--")


def test_names_are_asked_of_the_service(
    service: AnsweringService, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.names.QUICK", 60.0)  # or a busy machine would be silent

    assert completed(shell, "release", "my") == ["my-project"]
    assert completed(shell, "pause", "--pool", "g") == ["gpu"]
    assert completed(shell, "destroy", "i-0aaaaaaaaaaaaaaa1") == ["i-0aaaaaaaaaaaaaaa1"]


def test_completion_is_silent_where_the_service_cannot_be_asked(
    service: AnsweringService, shell: Shell
) -> None:
    service.on("GET", "/v1/allocations", Says(200, "<html>", kind="text/html"))

    assert completed(shell, "release", "my") == []
    assert completed(Shell("not a url"), "release", "my") == []
