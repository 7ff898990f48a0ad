"""How commands answer a person, within the width of the screen, and a program, in JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit
from rich.console import Console
from rich.text import Text

from app.domain.errors import CloudError, OrchestratorError, RegistryUnavailable, SettingsInvalid

if TYPE_CHECKING:
    from pydantic import BaseModel

NARROW = 80
"""Columns where the output is no terminal."""
NARROWEST = 20
WIDE = 110
"""Longer lines are hard to read."""

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for a program."
)
yes_option: Callable[[Any], Any] = click.option(
    "-y", "--yes", is_flag=True, help="Do not ask; a script is never asked."
)


def console(*, wide: bool = False) -> Console:
    """Return standard output, coloured where it is a terminal and NO_COLOR is not set."""
    screen = Console(highlight=False, markup=False)
    if not screen.is_terminal:
        screen.width = NARROW
    elif not wide:
        screen.width = min(screen.width, WIDE)
    return screen


def errors() -> Console:
    """Return standard error, for what is not the answer."""
    screen = Console(stderr=True, highlight=False, markup=False)
    screen.width = min(screen.width, WIDE) if screen.is_terminal else NARROW
    return screen


def paragraph(screen: Console, text: str, *, lead: Text | str = "") -> list[Text]:
    """Break a text into lines behind its lead; lines after the first begin below the text."""
    first = Text(lead) if isinstance(lead, str) else lead
    indent = len(first)
    lines = Text(text).wrap(screen, max(min(screen.width, WIDE) - indent, NARROWEST))
    for line in lines:
        line.rstrip()
    return [Text.assemble(" " * indent if number else first, line) for number, line in enumerate(lines)]


def write(screen: Console, text: str, *, lead: Text | str = "") -> None:
    """Print a paragraph."""
    for line in paragraph(screen, text, lead=lead):
        screen.print(line, soft_wrap=True)


def write_whole(screen: Console, text: str, *, lead: str = "") -> None:
    """Print a line that is not broken however long it is, so that it can be copied."""
    screen.print(Text(lead + text), soft_wrap=True)


def write_json(answer: Any) -> None:
    """Print an answer for a program."""
    click.echo(json.dumps(answer, indent=2))


def wire(model: "BaseModel") -> Any:
    """Return an answer of the service as the service writes it."""
    return model.model_dump(mode="json", by_alias=True)


def ask(what: str, question: str) -> None:
    """Tell a person what is going to be lost, and go on only if they want so."""
    write(errors(), what)
    if not click.confirm(question, err=True):
        raise click.ClickException("Nothing was changed.")


def waiting(what: str) -> AbstractContextManager[Any]:
    """Tell a person at a terminal what takes so long."""
    screen = errors()
    return screen.status(what) if screen.is_terminal else nullcontext()


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what goes wrong into a sentence on standard error and exit code 1, never into a traceback."""
    try:
        yield
    except (click.ClickException, click.Abort, Exit, BrokenPipeError):
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
