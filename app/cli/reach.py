"""How commands reach the service: `--url`, `--token`, and what to do where it cannot be reached."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from app.client import Client, ClientError, Refused

URL_VARIABLE, TOKEN_VARIABLE = "ORCHESTRATOR_URL", "ORCHESTRATOR_TOKEN"
DEFAULT_URL = "http://localhost:9092"
_URL_HELP = f"Where the service is; {URL_VARIABLE} when left out, then {DEFAULT_URL}."
_TOKEN_HELP = f"Who you are; better in {TOKEN_VARIABLE}, since others can see arguments."
_LOGIN = f"Set {TOKEN_VARIABLE}; where the service runs, this makes one: ec2-orchestrator token create --help"
_HINTS = {
    "pool-exhausted": "To wait for one: --wait 60. To see why none is idle: ec2-orchestrator status",
    "instance-not-found": "To see which there are: ec2-orchestrator instances",
    "allocation-not-found": "To see which there are: ec2-orchestrator allocations",
    "message-not-found": "To see which there are: ec2-orchestrator webhooks",
    "webhook-off": "Set ORCHESTRATOR_WEBHOOK_URL and ORCHESTRATOR_WEBHOOK_SECRET where the service runs.",
    "pool-not-found": "To see which there are: ec2-orchestrator pools",
    "allocated-elsewhere": "Leave --pool out to get that one, or release it first.",
    "forbidden": f"It needs a token of a higher role: see {TOKEN_VARIABLE}.",
    "registry-unavailable": "Try again in a moment; on the service's machine: ec2-orchestrator doctor",
}
"""What to do about what the service refuses."""
_BUG = 500
"""The status of a bug of the service: of that nothing is told but in its log."""


def program_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--url` and `--token` to the whole program."""
    command = click.option("--token", envvar=TOKEN_VARIABLE, metavar="TOKEN", help=_TOKEN_HELP)(command)
    return click.option("--url", envvar=URL_VARIABLE, metavar="URL", help=_URL_HELP)(command)


def service(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a `client`, and turn what goes wrong with the service into one line."""

    @click.option("--url", metavar="URL", help=_URL_HELP)
    @click.option("--token", metavar="TOKEN", help=_TOKEN_HELP)
    @click.pass_context
    @wraps(command)
    def connected(context: click.Context, /, **given: Any) -> Any:
        del given["url"], given["token"]  # connect() finds them, and those of the program
        with reporting(), connect(context) as client:
            return command(client=client, **given)

    return connected


def connect(context: click.Context, *, timeout: float = 10.0) -> "Client":
    """Return a client of the service that the command line names. It asks once: who waits says so."""
    from app.client import Client  # noqa: PLC0415 - a quarter of a second, which --help need not wait

    url, token = _option(context, "url") or DEFAULT_URL, _option(context, "token")
    try:
        return Client(url, token, timeout=timeout, patience=0)
    except ValueError as error:
        # Neither is repeated: it may be a secret.
        raise click.UsageError(
            f"This cannot be used: {error}. See --url or {URL_VARIABLE}, and --token or {TOKEN_VARIABLE}."
        ) from error


@contextmanager
def reporting() -> Iterator[None]:
    """Turn what goes wrong into one line with what to do next, and exit code 1."""
    from app.cli import output  # noqa: PLC0415 - rich takes a while, too

    with output.refusals():
        try:
            yield
        except Exception as error:
            from app.client import ClientError  # noqa: PLC0415 - as above

            if isinstance(error, ClientError):
                raise click.ClickException(said(error)) from error
            raise


def said(error: "ClientError") -> str:
    """Say what went wrong, and what to do next."""
    from app.client import Refused, Unexpected, Unreachable  # noqa: PLC0415 - as above

    match error:
        case Unreachable() if error.in_doubt:
            return f"{error}. To see: ec2-orchestrator status"
        case Unreachable():
            return f"{error}. Does the service run there? Another place: --url, or {URL_VARIABLE}"
        case Unexpected():
            return f"{error}. Another place: --url, or {URL_VARIABLE}"
        case Refused() if error.code == "unauthenticated":
            return f"{sentence(error.detail)} {_LOGIN}"
        case Refused():
            return f"{sentence(error.detail)} {_hint(error)}".rstrip()
        case _:
            return str(error)


def _hint(error: "Refused") -> str:
    if error.status == _BUG and error.request_id is not None:
        return f"The service's log tells of it as request {error.request_id}."
    return _HINTS.get(error.code, "")


def sentence(text: str) -> str:
    """End a text as a sentence ends."""
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _option(context: click.Context, name: str) -> str | None:
    """Return an option of the command, else the program's, which may come from the environment."""
    return context.params.get(name) or context.find_root().params.get(name)
