"""`ec2-orchestrator allocate`."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

import click
from rich.text import Text

from app.cli import names, output, reach, times
from app.cli.wiring import Surroundings

if TYPE_CHECKING:
    from app.client import Allocation, Client

_LOOK_EVERY = 2.0
_EPILOG = """\b
Examples:
  ec2-orchestrator allocate my-project
  ec2-orchestrator allocate my-project --wait 60 --ttl 2h
  ec2-orchestrator allocate my-project --confirm-within 1m
  xdg-open "$(ec2-orchestrator allocate my-project)"
  ec2-orchestrator allocate my-project --json | jq -r .address
"""


@click.command("allocate", short_help="Take an instance for a project, and print its URL.", epilog=_EPILOG)
@names.new_project_argument
@names.pool_option("Which pool a new instance is taken from; `default` when left out.")
@click.option(
    "--wait",
    type=times.Duration(or_zero=True),
    default="0",
    metavar="TIME",
    help="How long to wait for one where none is idle: 60, 5m. Not at all when left out.",
)
@click.option(
    "--ttl",
    type=times.Duration(),
    metavar="TIME",
    help="Release a new allocation by itself after so long, unless it is renewed: 45m, 2h, 7d.",
)
@click.option(
    "--confirm-within",
    type=times.Duration(),
    metavar="TIME",
    help="Release a new allocation by itself after so long, unless it is confirmed, renewed or used by then.",
)
@output.json_option
@reach.service
@click.pass_obj
def allocate(
    surroundings: Surroundings,
    *,
    client: "Client",
    project: str,
    pool: str | None,
    wait: int,
    ttl: int | None,
    confirm_within: int | None,
    as_json: bool,
) -> None:
    """Take an instance for PROJECT, and print its URL.

    A project that holds one gets the same again. Nobody else gets it until it is released; then it is
    terminated, never handed out again.
    """
    with _progress(client, project, pool or "default", wait):
        allocation = client.allocate(project, pool=pool, wait=wait, ttl=ttl, confirm_within=confirm_within)
    if as_json:
        output.write_json(output.wire(allocation))
        return
    _tell(allocation, surroundings)
    click.echo(allocation.url)


def _tell(allocation: "Allocation", surroundings: Surroundings) -> None:
    """Say more to a person; the URL alone goes to standard output."""
    screen = output.errors()
    if not screen.is_terminal:
        return
    now = surroundings.now()
    since = times.long(now - allocation.allocated_at)
    until = f", until in {times.long(allocation.expires_at - now)}" if allocation.expires_at else ""
    text = f"{allocation.project} holds {allocation.instance} of pool {allocation.pool} for {since}{until}."
    if allocation.confirm_by:
        left = times.long(allocation.confirm_by - now)
        text += f" To keep it beyond {left}: ec2-orchestrator confirm {allocation.project}"
    output.write(screen, text)


@contextmanager
def _progress(client: "Client", project: str, pool: str, wait: int) -> Iterator[None]:
    """While a person waits: how long still, and why."""
    screen = output.errors()
    if not wait or not screen.is_terminal:
        yield
        return
    waiting = _Waiting(client, project, pool, monotonic() + wait)
    with screen.status(waiting), waiting:
        try:
            yield
        except KeyboardInterrupt:
            screen.print(f"Given up. In a moment {project} has no place in line any more.")
            raise


class _Waiting:
    """A line that tells how many seconds are left, and what the pool lacks."""

    def __init__(self, client: "Client", project: str, pool: str, until: float) -> None:
        self._client, self._project, self._pool, self._until = client, project, pool, until
        self._why = ""
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def __rich__(self) -> Text:
        left = max(0, round(self._until - monotonic()))
        return Text(f"Waiting for an instance for {self._project}, {left} s at most{self._why}")

    def _watch(self) -> None:
        from app.client import ClientError, Unreachable  # noqa: PLC0415 - loaded already

        while not self._over.wait(_LOOK_EVERY):
            try:
                found = self._client.pool(self._pool)
            except Unreachable as error:
                self._why = f": {error}"
            except ClientError:
                self._why = ""
            except RuntimeError:  # the client was closed: nobody waits any more
                return
            else:
                counts = f"{found.instances.idle} idle, {found.instances.booting} booting"
                held = f", {found.instances.held} held" if found.instances.held else ""
                limit = f", limited by {found.limited_by}" if found.limited_by else ""
                self._why = f": {counts}{held}{limit}"
