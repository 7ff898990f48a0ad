"""`ec2-orchestrator status`."""

from typing import TYPE_CHECKING

import click

from app.cli import output, reach, tables
from app.cli.wiring import Surroundings

if TYPE_CHECKING:
    from app.client import Client

_EPILOG = """\b
Examples:
  ec2-orchestrator status
  ec2-orchestrator status --all
  ec2-orchestrator status --json | jq .idleMachines

--json prints what GET /status answers.
"""


@click.command("status", short_help="Show the pools, their instances, and what to mend.", epilog=_EPILOG)
@click.option("--all", "every", is_flag=True, help="List all instances, however many there are.")
@output.json_option
@reach.service
@click.pass_obj
def status(surroundings: Surroundings, *, client: "Client", every: bool, as_json: bool) -> None:
    """Show the pools, their instances, and what to mend.

    A line for each pool: how many instances are idle, how many there should be (buffer), how many are in use.
    Then what keeps the service from its work, with what helps; then the instances, those in use first.
    """
    if as_json:
        output.write_json(output.wire(client.status()))
        return
    from app.cli import overview  # noqa: PLC0415 - the models take a quarter of a second

    seen = overview.look(client, surroundings.now(), every=every)
    narrow, wide = output.console(), output.console(wide=True)
    for line in seen.heading(narrow):
        narrow.print(line, soft_wrap=True)
    narrow.print()
    tables.show(wide, seen.pool_table())
    alarms = list(seen.alarms(narrow))
    if alarms:
        narrow.print()
    for line in alarms:
        narrow.print(line, soft_wrap=True)
    if seen.instances:
        narrow.print()
        tables.show(wide, seen.instance_table(None if every else overview.FEW))
    more = 0 if every else max(seen.count, len(seen.instances)) - min(len(seen.instances), overview.FEW)
    if more > 0:
        output.write(narrow, f"and {more} more: --all lists them")
