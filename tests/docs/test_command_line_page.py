"""docs/howto/command-line.md knows every command."""

from pathlib import Path

import pytest

from app.cli.program import program
from app.cli.sections import Program

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "command-line.md").read_text()
UNUSED = None


def commands() -> list[str]:
    made = program(UNUSED, UNUSED)  # type: ignore[arg-type]  # nothing is run
    assert isinstance(made, Program)
    return [entry.name for entries in made.sections.values() for entry in entries]


@pytest.mark.parametrize("command", commands())
def test_every_command_stands_on_the_page(command: str) -> None:
    assert any(f"{before}{command}" in PAGE for before in ("`", "`ec2-orchestrator "))
