"""`ec2-orchestrator events`."""

import json
from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from app.cli import names, output, reach, tables, times
from app.cli.looks import looks
from app.cli.tables import Column, Table
from app.cli.wiring import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.client import Client, Event

_ROOMY = 100
"""Columns that the table needs for the reasons to be read."""
_FEW, _BURST = 100, 1000
"""How many of the latest events are looked at again, and how many where none of those is known."""
_EPILOG = """\b
Examples:
  ec2-orchestrator events
  ec2-orchestrator events --project my-project --limit 100
  ec2-orchestrator events --follow
  ec2-orchestrator events --json | jq -r '.[] | select(.kind == "allocation.lost") | .project'
"""
_COLUMNS = (
    Column("AT"),
    Column("EVENT"),
    Column("INSTANCE", rank=1),
    Column("PROJECT", rank=2),
    Column("BY", rank=3),
    Column("POOL", rank=5),
    Column("WHY", rank=4, text=True),
)


@click.command("events", short_help="Show who did what, and why.", epilog=_EPILOG)
@names.pool_option("Only those of this pool.")
@click.option(
    "--project", metavar="PROJECT", help="Only those of this project.", shell_complete=names.of_projects
)
@click.option(
    "--instance", metavar="INSTANCE", help="Only those of this instance.", shell_complete=names.of_instances
)
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many of the latest."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on, until Ctrl-C.")
@output.json_option
@reach.service
@click.pass_obj
def events(
    surroundings: Surroundings,
    *,
    client: "Client",
    pool: str | None,
    project: str | None,
    instance: str | None,
    limit: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the audit trail: who did what to which instance and project, and why. The newest comes last.

    With --json, an array; with --json and --follow, a document a line.
    """

    def latest(count: int) -> "Sequence[Event]":
        return list(client.events(pool=pool, project=project, instance=instance, limit=count))[::-1]

    if follow:
        _follow(latest, limit, surroundings, as_json=as_json)
        return
    found = latest(limit)
    if as_json:
        output.write_json([output.wire(event) for event in found])
        return
    screen, now = output.console(wide=True), surroundings.now()
    if found and screen.is_terminal and screen.width < _ROOMY:
        for event in found:
            _tell(screen, event)
        return
    rows = [_row(event, now if screen.is_terminal else None) for event in found]
    tables.show_or_say(Table(_COLUMNS, rows, now), "There is none.")


def _follow(
    latest: "Callable[[int], Sequence[Event]]", limit: int, surroundings: Surroundings, *, as_json: bool
) -> None:
    screen = output.console(wide=True)
    told: set[int] = set()

    def look_on() -> "Sequence[Event]":
        if not told:
            return latest(limit)
        found = latest(_FEW)
        return found if any(event.id in told for event in found) else latest(_BURST)

    away = False
    try:
        for look in looks(look_on, surroundings):
            if look.away_since and not away:
                click.echo(f"{reach.sentence(look.why)} Trying on.", err=True)
            away = look.away_since is not None
            first = min(told, default=0)  # what is older than the first look was not asked for
            for event in look.seen:
                if event.id in told or event.id < first:
                    continue
                told.add(event.id)
                if as_json:
                    click.echo(json.dumps(output.wire(event)))
                else:
                    _tell(screen, event)
    except KeyboardInterrupt:
        return


def _row(event: "Event", now: datetime | None) -> tuple[tables.Cell, ...]:
    """Return a row for a person at the moment `now`, or for a pipe."""
    return (
        _clock(event.at, now) if now else event.at,
        event.kind,
        event.instance,
        event.project,
        event.actor,
        event.pool,
        event.reason,
    )


def _tell(screen: Console, event: "Event") -> None:
    """Print an event by itself: in a pipe in one line, at a terminal in as many as it needs."""
    about = " ".join(filter(None, (event.instance, event.project)))
    pool = "" if event.pool in {"*", "default"} else f" [{event.pool}]"
    why = f": {event.reason}" if event.reason else ""
    text = f"{event.kind}  {about or '-'}{pool}  by {event.actor}{why}"
    if screen.is_terminal:
        output.write(screen, text, lead=Text(f"{times.stamp(event.at)}  ", style="dim"))
    else:
        output.write_whole(screen, text, lead=f"{times.stamp(event.at)}  ")


def _clock(moment: datetime, now: datetime) -> Text:
    """Write a moment for a person, in UTC as everything: the date only where it is another day."""
    day = "" if moment.date() == now.date() else f"{moment:%m-%d} "
    return Text(f"{day}{moment:%H:%M:%S}")
