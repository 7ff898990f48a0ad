"""How commands answer a person, within the width of the screen, and a program, in JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from app.domain.errors import CloudError, OrchestratorError, RegistryUnavailable, SettingsInvalid

NARROW = 80
"""Columns where the output is no terminal."""
NARROWEST = 20
WIDE = 110
"""Longer lines are hard to read."""

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for a program."
)


def console() -> Console:
    """Return standard output, coloured where it is a terminal and NO_COLOR is not set."""
    screen = Console(highlight=False, markup=False)
    screen.width = min(screen.width, WIDE) if screen.is_terminal else NARROW
    return screen


def write(screen: Console, text: str, *, lead: Text | str = "") -> None:
    """Print a paragraph behind its lead; lines after the first begin below the text."""
    first = Text(lead) if isinstance(lead, str) else lead
    indent = len(first)
    for number, line in enumerate(Text(text).wrap(screen, max(screen.width - indent, NARROWEST))):
        line.rstrip()
        screen.print(Text.assemble(" " * indent if number else first, line), soft_wrap=True)


def write_whole(screen: Console, text: str, *, lead: str = "") -> None:
    """Print a line that is not broken however long it is, so that it can be copied."""
    screen.print(Text(lead + text), soft_wrap=True)


def write_json(answer: Any) -> None:
    """Print an answer for a program."""
    click.echo(json.dumps(answer, indent=2))


def waiting(what: str) -> AbstractContextManager[Any]:
    """Tell a person at a terminal what takes so long."""
    screen = Console(stderr=True)
    return screen.status(what) if screen.is_terminal else nullcontext()


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what goes wrong into a sentence on standard error and exit code 1, never into a traceback."""
    try:
        yield
    except click.ClickException:
        raise
    except OrchestratorError as error:
        raise click.ClickException(_sentence(error)) from error
    except Exception as error:
        raise click.ClickException(
            f"This is a bug, please report it: {type(error).__name__}: {error}"
        ) from error


def _sentence(error: OrchestratorError) -> str:
    match error:
        case CloudError():
            return f"{error.title()}. {error.detail} To see what to mend: ec2-orchestrator doctor"
        case RegistryUnavailable():
            return f"{error.detail} To see what to mend: ec2-orchestrator doctor"
        case SettingsInvalid():
            return f"{error.title()}.\n{error.detail}"
        case _:
            return error.detail
