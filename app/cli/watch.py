"""`ec2-orchestrator watch`."""

import json
from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group, RenderableType
from rich.text import Text

from app.cli import output, reach, times
from app.cli.looks import Look, looks
from app.cli.wiring import Surroundings

if TYPE_CHECKING:
    from app.api.seed import PoolFigures
    from app.cli.overview import Overview
    from app.client import Client

_EPILOG = """\b
Examples:
  ec2-orchestrator watch
  ec2-orchestrator watch >> pool.log       a line for each change
  ec2-orchestrator watch --json            a JSON document for each change
"""


@click.command("watch", short_help="Show the same live, until Ctrl-C.", epilog=_EPILOG)
@output.json_option
@reach.service
@click.pass_obj
def watch(surroundings: Surroundings, *, client: "Client", as_json: bool) -> None:
    """Show what status shows, live, until Ctrl-C.

    Looks every two seconds. While the service is away, says so and goes on trying. Where the output is no
    terminal, prints a line for each change of the figures instead.
    """
    screen = output.console(wide=True)
    try:
        if screen.is_terminal and not as_json:
            _live(client, surroundings, screen)
        else:
            _log(client, surroundings, as_json=as_json)
    except KeyboardInterrupt:
        return


def _live(client: "Client", surroundings: Surroundings, screen: Console) -> None:
    from rich.live import Live  # noqa: PLC0415 - not needed in a pipe

    from app.cli import overview  # noqa: PLC0415 - the models take a quarter of a second

    views = looks(lambda: overview.look(client, surroundings.now(), every=False), surroundings)
    first = next(views)  # what is wrong from the start is said on the normal screen
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        live.update(_page(screen, first, surroundings.now()), refresh=True)
        for look in views:
            live.update(_page(screen, look, surroundings.now()), refresh=True)


def _log(client: "Client", surroundings: Surroundings, *, as_json: bool) -> None:
    last = None
    for look in looks(client.status, surroundings):
        figures = None if look.away_since else [_line(pool) for pool in look.seen.pools]
        if figures == last:
            continue
        last, now = figures, times.stamp(surroundings.now())
        if as_json:
            click.echo(json.dumps({"error": look.why} if look.away_since else output.wire(look.seen)))
        else:
            for line in [f"away  {look.why}"] if figures is None else figures:
                click.echo(f"{now}  {line}")


def _page(screen: Console, look: "Look[Overview]", now: datetime) -> RenderableType:
    """Fill the screen, and not more."""
    seen, width = look.seen, screen.width
    parts: list[RenderableType] = list(seen.heading(screen))
    if look.away_since:
        label = Text.assemble(("AWAY", "bold reverse red"), " ")
        since, why = times.long(now - look.away_since), reach.sentence(look.why)
        parts += output.paragraph(screen, f"for {since}: {why} Below is what was; trying on.", lead=label)
    parts += [Text(), seen.pool_table().fitted(width)]
    if alarms := list(seen.alarms(screen)):
        parts += [Text(), *alarms]
    foot = Text("Ctrl-C ends it", style="dim")
    # Beside the rows there may be two empty lines, the table's head, 'and 5 more', and the foot.
    rows = screen.height - len(screen.render_lines(Group(*parts))) - 5
    if seen.instances and rows > 0:
        parts += [Text(), seen.instance_table(rows).fitted(width)]
        if (more := max(seen.count, len(seen.instances)) - min(rows, len(seen.instances))) > 0:
            parts.append(Text(f"and {more} more", style="dim"))
    return Group(*parts, Text(), foot)


def _line(pool: "PoolFigures") -> str:
    """Tell the figures of a pool in one line, without what changes at each pass."""
    figures = {
        "idle": pool.idle_machines,
        "buffer": pool.buffer,
        "waiting": pool.waiting_projects,
        "allocated": pool.used_machines,
        "booting": pool.booting_machines,
        "terminating": pool.terminating_machines,
        "held": pool.held_machines,
        "desired": "-" if pool.desired_capacity is None else pool.desired_capacity,
        "paused": "yes" if pool.paused else "no",
        "limited": pool.limited_by or "-",
        "warnings": ",".join(sorted({notice.code for notice in pool.warnings})) or "-",
    }
    return "  ".join([pool.name, *(f"{name}={figure}" for name, figure in figures.items())])
