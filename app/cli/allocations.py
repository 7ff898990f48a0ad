"""`ec2-orchestrator allocations`, `renew`, `confirm` and `release`."""

from typing import TYPE_CHECKING

import click

from app.cli import names, output, reach, tables, times
from app.cli.tables import Column, Table
from app.cli.wiring import Surroundings

if TYPE_CHECKING:
    from app.client import Client

_LIST_EPILOG = """\b
Examples:
  ec2-orchestrator allocations
  ec2-orchestrator allocations --pool gpu
  ec2-orchestrator allocations --json | jq -r '.[].project'
"""
_RENEW_EPILOG = """\b
Examples:
  ec2-orchestrator renew my-project --ttl 2h
  ec2-orchestrator renew my-project --ttl none
"""
_CONFIRM_EPILOG = """\b
Examples:
  ec2-orchestrator allocate my-project --confirm-within 1m
  ec2-orchestrator confirm my-project
  ec2-orchestrator confirm my-project --instance i-0123456789abcdef0
"""
_RELEASE_EPILOG = """\b
Examples:
  ec2-orchestrator release my-project
  ec2-orchestrator release my-project --yes

At a terminal it asks before; a script has said what it means, and is not asked.
"""
_COLUMNS = (
    Column("PROJECT", text=True),
    Column("INSTANCE", rank=2),
    Column("URL", rank=1),
    Column("POOL", rank=5),
    Column("SINCE", rank=3),
    Column("ENDS", rank=4),
    Column("CONFIRM BY", rank=6),
    Column("LAST USED", rank=4),
)


@click.command("allocations", short_help="List which project holds which instance.", epilog=_LIST_EPILOG)
@names.pool_option("Only those of this pool.")
@output.json_option
@reach.service
@click.pass_obj
def allocations(surroundings: Surroundings, *, client: "Client", pool: str | None, as_json: bool) -> None:
    """List which project holds which instance, since when and until when, and when it was last used."""
    found = list(client.allocations(pool=pool))
    if as_json:
        output.write_json([output.wire(one) for one in found])
        return
    rows = [
        (
            one.project,
            one.instance,
            one.url,
            one.pool,
            one.allocated_at,
            one.expires_at,
            one.confirm_by,
            one.last_activity_at,
        )
        for one in found
    ]
    tables.show_or_say(Table(_COLUMNS, rows, surroundings.now()), "No project holds an instance.")


@click.command("renew", short_help="Move the time limit of a project's allocation.", epilog=_RENEW_EPILOG)
@names.project_argument
@click.option(
    "--ttl",
    type=times.Duration(or_none=True),
    required=True,
    metavar="TIME",
    help="How long it is to last from now on: 45m, 2h, 7d; `none`: until it is released.",
)
@names.instance_option("Only where the project holds this one still; any when left out.")
@output.json_option
@reach.service
@click.pass_obj
def renew(
    surroundings: Surroundings,
    *,
    client: "Client",
    project: str,
    ttl: int | None,
    instance: str | None,
    as_json: bool,
) -> None:
    """Let the allocation of PROJECT end at another time than before."""
    allocation = client.renew(project, ttl, instance=instance)
    if as_json:
        output.write_json(output.wire(allocation))
    elif allocation.expires_at:
        left = times.long(allocation.expires_at - surroundings.now())
        click.echo(
            f"{project} holds {allocation.instance} until {times.stamp(allocation.expires_at)} ({left})."
        )
    else:
        click.echo(f"{project} holds {allocation.instance} until it is released.")


@click.command("confirm", short_help="Say that a project's instance has arrived.", epilog=_CONFIRM_EPILOG)
@names.project_argument
@names.instance_option("Which one has arrived: refused where the project holds another one by now.")
@output.json_option
@reach.service
def confirm(*, client: "Client", project: str, instance: str | None, as_json: bool) -> None:
    """Confirm the allocation of PROJECT, so that it does not end for want of that.

    Changes nothing where it need not be confirmed, or is already.
    """
    allocation = client.confirm(project, instance=instance)
    if as_json:
        output.write_json(output.wire(allocation))
    else:
        click.echo(f"{project} holds {allocation.instance}: confirmed.")


@click.command(
    "release", short_help="End a project's allocation, and its instance with it.", epilog=_RELEASE_EPILOG
)
@names.project_argument
@output.yes_option
@output.json_option
@reach.service
@click.pass_obj
def release(surroundings: Surroundings, *, client: "Client", project: str, yes: bool, as_json: bool) -> None:
    """End the allocation of PROJECT.

    Its instance is terminated, never handed out again: what is on it and nowhere else is lost.
    """
    if surroundings.interactive() and not yes:
        held = client.allocation(project)
        since = times.long(surroundings.now() - held.allocated_at)
        output.ask(
            f"{project} has held {held.instance} ({held.address}) for {since}. It will be terminated, and "
            "what is on it and nowhere else is lost.",
            "Release it?",
        )
    ending = client.release(project)
    if as_json:
        output.write_json(output.wire(ending))
    else:
        click.echo(f"{project} is released; {ending.instance} is terminating.")
