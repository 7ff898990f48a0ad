"""`ec2-orchestrator pools`, `buffer`, `pause` and `resume`."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from app.cli import names, output, reach, tables, times
from app.cli.tables import Column, Table
from app.cli.wiring import Surroundings
from app.domain.controls import MOST_BUFFER

if TYPE_CHECKING:
    from app.client import Client, Pool

DEFAULT = "default"
_LIST_EPILOG = """\b
Examples:
  ec2-orchestrator pools
  ec2-orchestrator pools --json | jq '.[] | {name, limitedBy}'
"""
_BUFFER_EPILOG = """\b
Examples:
  ec2-orchestrator buffer                 how many are kept ready?
  ec2-orchestrator buffer 8
  ec2-orchestrator buffer 8 --pool gpu
  ec2-orchestrator buffer --reset         as the settings say
"""
_PAUSE_EPILOG = """\b
Examples:
  ec2-orchestrator pause
  ec2-orchestrator pause --pool gpu
  ec2-orchestrator pause --all
  ec2-orchestrator resume --all
"""
_COLUMNS = (
    Column("POOL"),
    Column("GROUP", rank=3),
    Column("REGION", rank=4),
    Column("IDLE", right=True),
    Column("BUFFER", right=True),
    Column("ALLOCATED", rank=1, right=True),
    Column("BOOTING", rank=2, right=True),
    Column("HELD", rank=2, right=True),
    Column("LAUNCH", rank=5, right=True),
    Column("TTL", rank=6, right=True),
    Column("IDLE TIMEOUT", rank=6, right=True),
    Column("STATE", text=True),
)


@click.command("pools", short_help="List the pools.", epilog=_LIST_EPILOG)
@output.json_option
@reach.service
@click.pass_obj
def pools(surroundings: Surroundings, *, client: "Client", as_json: bool) -> None:
    """List the pools: their groups, their figures, and whether something limits them.

    LAUNCH is how long their last launches took, TTL and IDLE TIMEOUT are how long an allocation lasts where
    nothing else is asked for, and how long it may be unused.
    """
    found = list(client.pools())
    if as_json:
        output.write_json([output.wire(pool) for pool in found])
        return
    rows = [
        (
            pool.name,
            pool.group,
            pool.region,
            pool.instances.idle,
            pool.buffer,
            pool.instances.allocated,
            pool.instances.booting,
            pool.instances.held,
            _long(pool.launch_seconds),
            _long(pool.default_ttl),
            _long(pool.idle_timeout),
            _state(pool),
        )
        for pool in found
    ]
    tables.show_or_say(Table(_COLUMNS, rows, surroundings.now()), "There is none.")


@click.command(
    "buffer", short_help="Show or set how many idle instances are kept ready.", epilog=_BUFFER_EPILOG
)
@click.argument("count", metavar="[N]", required=False, type=click.IntRange(0, MOST_BUFFER))
@names.pool_option(f"Of which pool; `{DEFAULT}` when left out.")
@click.option("--reset", is_flag=True, help="Go back to what the service's settings say.")
@output.json_option
@reach.service
def buffer(*, client: "Client", count: int | None, pool: str | None, reset: bool, as_json: bool) -> None:
    """Set how many idle instances a pool keeps ready to N; without N, show it.

    It holds until it is set again, also over restarts. Instances that are too many then are kept.
    """
    if reset and count is not None:
        raise click.UsageError("Give N or --reset, not both.")
    name = pool or DEFAULT
    if reset or count is not None:
        found: Pool = client.change_pool(name, buffer="configured" if count is None else count)
    else:
        found = client.pool(name)
    if as_json:
        output.write_json(output.wire(found))
        return
    settings = (
        "" if found.buffer == found.configured_buffer else f" (the settings say {found.configured_buffer})"
    )
    click.echo(f"Pool {found.name} keeps {found.buffer} idle instances ready{settings}.")
    if limit := _limit(found):
        click.echo(f"At the moment it cannot: {limit}. Why: ec2-orchestrator status", err=True)


def _which(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--pool` and `--all`."""
    command = names.pool_option(f"Which pool; `{DEFAULT}` when left out.")(command)
    return click.option("--all", "every", is_flag=True, help="All pools.")(command)


@click.command("pause", short_help="Change nothing at AWS until resumed.", epilog=_PAUSE_EPILOG)
@_which
@output.json_option
@reach.service
def pause(*, client: "Client", pool: str | None, every: bool, as_json: bool) -> None:
    """Change nothing at AWS for a pool until it is resumed.

    No instance is launched, replaced or terminated. Projects still get what is idle, and give it back; what
    that means for AWS is done after the pause. It survives restarts, and status shows it first.
    """
    changed = _change(client, pool, every=every, paused=True)
    if as_json:
        output.write_json([output.wire(one) for one in changed])
        return
    for one in changed:
        click.echo(f"Pool {one.name} is paused: nothing is launched, replaced or terminated at AWS.")
    option = " --all" if every else f" --pool {pool}" if pool else ""
    click.echo(
        "Projects still get what is idle; what they give back is terminated after the pause.\n"
        f"To go on: ec2-orchestrator resume{option}"
    )


@click.command("resume", short_help="Go on after a pause.", epilog=_PAUSE_EPILOG)
@_which
@output.json_option
@reach.service
def resume(*, client: "Client", pool: str | None, every: bool, as_json: bool) -> None:
    """Look after a pool again: what was put off is done now."""
    changed = _change(client, pool, every=every, paused=False)
    if as_json:
        output.write_json([output.wire(one) for one in changed])
        return
    for one in changed:
        click.echo(f"Pool {one.name} is looked after again.")


def _change(client: "Client", pool: str | None, *, every: bool, paused: bool) -> "list[Pool]":
    if every and pool:
        raise click.UsageError("Give --pool or --all, not both.")
    which = [one.name for one in client.pools()] if every else [pool or DEFAULT]
    return [client.change_pool(name, paused=paused) for name in which]


def _long(seconds: float | None) -> str | None:
    return None if seconds is None else times.long(timedelta(seconds=seconds))


def _state(pool: "Pool") -> tables.Cell:
    return tables.condition(
        "paused" if pool.paused else _limit(pool) or ("warnings" if pool.warnings else "ok")
    )


def _limit(pool: "Pool") -> str | None:
    return pool.limited_by and f"limited by {pool.limited_by}"
