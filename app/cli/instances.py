"""`ec2-orchestrator instances`, `destroy`, `hold` and `unhold`."""

from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.text import Text

from app.cli import names, output, reach, tables, times
from app.cli.tables import Column, Table
from app.cli.wiring import Surroundings

if TYPE_CHECKING:
    from app.client import Client, Instance

_LIST_EPILOG = """\b
Examples:
  ec2-orchestrator instances
  ec2-orchestrator instances --state booting
  ec2-orchestrator instances i-0123456789abcdef0
  ec2-orchestrator instances --json | jq -r '.[] | select(.hold) | .id'
"""
_DESTROY_EPILOG = """\b
Examples:
  ec2-orchestrator destroy i-0123456789abcdef0
  ec2-orchestrator destroy i-0123456789abcdef0 --yes

At a terminal it asks before; a script has said what it means, and is not asked.
"""
_HOLD_EPILOG = """\b
Examples:
  ec2-orchestrator hold i-0123456789abcdef0 --reason 'does not boot'
  ec2-orchestrator hold i-0123456789abcdef0 --ttl 2h
  ec2-orchestrator unhold i-0123456789abcdef0
"""
_COLUMNS = (
    Column("INSTANCE"),
    Column("STATE"),
    Column("PROJECT", text=True, rank=1),
    Column("SINCE", rank=2),
    Column("ADDRESS", rank=3),
    Column("ZONE", rank=5),
    Column("POOL", rank=4),
    Column("WHY", rank=6),
    Column("LAST USED", rank=5),
)


@click.command("instances", short_help="List instances, or show one.", epilog=_LIST_EPILOG)
@names.instance_argument(required=False)
@names.pool_option("Only those of this pool.")
@click.option(
    "--state",
    type=click.Choice(list(tables.STATES)),
    help="Only those in this state; the terminated are listed only so.",
)
@output.json_option
@reach.service
@click.pass_obj
def instances(
    surroundings: Surroundings,
    *,
    client: "Client",
    instance: str | None,
    pool: str | None,
    state: str | None,
    as_json: bool,
) -> None:
    """List instances, or show all there is to know about one."""
    if instance:
        found = client.instance(instance)
        if as_json:
            output.write_json(output.wire(found))
        else:
            _show(found, surroundings)
        return
    listed = list(client.instances(pool=pool, state=state))
    if as_json:
        output.write_json([output.wire(one) for one in listed])
        return
    rows = [
        (
            one.id,
            tables.state(one.state, held=bool(one.hold)),
            one.project,
            one.state_since,
            one.address,
            one.zone,
            one.pool,
            one.end_reason,
            one.last_activity_at,
        )
        for one in listed
    ]
    tables.show_or_say(Table(_COLUMNS, rows, surroundings.now()), "There is none.")


@click.command("destroy", short_help="Terminate an instance.", epilog=_DESTROY_EPILOG)
@names.instance_argument()
@output.yes_option
@output.json_option
@reach.service
@click.pass_obj
def destroy(surroundings: Surroundings, *, client: "Client", instance: str, yes: bool, as_json: bool) -> None:
    """Terminate INSTANCE, and end the allocation on it.

    What is on it and nowhere else is lost. To end what a project holds, release the project instead: then
    it cannot be somebody else's instance.
    """
    if surroundings.interactive() and not yes:
        _ask_before(client.instance(instance))
    ending = client.destroy(instance)
    if as_json:
        output.write_json(output.wire(ending))
    else:
        loser = f"; {ending.project} has lost it" if ending.project else ""
        click.echo(f"{ending.id} is {ending.state}{loser}.")


@click.command("hold", short_help="Keep an instance for inspection.", epilog=_HOLD_EPILOG)
@names.instance_argument()
@click.option(
    "--ttl", type=times.Duration(), metavar="TIME", help="End the hold by itself after so long: 2h."
)
@click.option("--reason", metavar="TEXT", help="Why, for others.")
@output.json_option
@reach.service
def hold(*, client: "Client", instance: str, ttl: int | None, reason: str | None, as_json: bool) -> None:
    """Keep INSTANCE for inspection: the service neither hands it out nor ends it.

    It counts as taken, so that the buffer is filled up beside it.
    """
    held = client.hold(instance, ttl=ttl, reason=reason)
    if as_json:
        output.write_json(output.wire(held))
        return
    until = f"until {times.stamp(held.hold.until)}, or " if held.hold and held.hold.until else ""
    click.echo(f"{held.id} ({held.state}) is held {until}until you let go: ec2-orchestrator unhold {held.id}")


@click.command("unhold", short_help="Let go of an instance that was held.", epilog=_HOLD_EPILOG)
@names.instance_argument()
@output.json_option
@reach.service
def unhold(*, client: "Client", instance: str, as_json: bool) -> None:
    """Let go of INSTANCE: it is again what its state says."""
    freed = client.unhold(instance)
    if as_json:
        output.write_json(output.wire(freed))
    else:
        click.echo(f"{freed.id} ({freed.state}) is no longer held.")


def _ask_before(found: "Instance") -> None:
    if found.state == "allocated":
        holder = found.project or "somebody unknown"
        lost = f"{holder} holds {found.id} and loses it, with what is on it and nowhere else."
    else:
        lost = f"{found.id} is {found.state}, and held by no project."
    output.ask(lost, "Terminate it?")


def _moment(moment: datetime | None, now: datetime) -> str | None:
    return None if moment is None else f"{times.stamp(moment)} ({times.ago(moment, now)})"


def _show(found: "Instance", surroundings: Surroundings) -> None:
    screen, now = output.console(), surroundings.now()
    facts: dict[str, str | Text | None] = {
        "instance": found.id,
        "state": tables.state(found.state, held=bool(found.hold)),
        "since": _moment(found.state_since, now),
        "pool": found.pool,
        "zone": found.zone,
        "project": found.project,
        "url": found.url,
        "allocated": _moment(found.allocated_at, now),
        "ends": _moment(found.expires_at, now),
        "confirm by": _moment(found.confirm_by, now),
        "last used": _moment(found.last_activity_at, now),
        "launched": _moment(found.launched_at, now),
        "last ready": _moment(found.ready_at, now),
        "why": found.end_reason,
    }
    if found.hold:
        facts["held by"] = found.hold.by
        facts["held since"] = _moment(found.hold.since, now)
        facts["held until"] = _moment(found.hold.until, now) or "it is let go"
        facts["held for"] = found.hold.reason
    for name, fact in facts.items():
        if fact is not None:
            screen.print(Text.assemble(f"{name + ':':<12}", fact), soft_wrap=True)
