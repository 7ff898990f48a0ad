"""`ec2-orchestrator webhooks`, and `webhooks retry`."""

from itertools import islice
from typing import TYPE_CHECKING

import click
from rich.text import Text

from app.cli import output, reach, tables
from app.cli.tables import Column, Table

if TYPE_CHECKING:
    from app.cli.wiring import Surroundings
    from app.client import Client, WebhookMessage

_EPILOG = """\b
Examples:
  ec2-orchestrator webhooks
  ec2-orchestrator webhooks --state dead
  ec2-orchestrator webhooks --json | jq '.[] | {id, state, lastError}'
  ec2-orchestrator webhooks retry --dead
"""
_RETRY_EPILOG = """\b
Examples:
  ec2-orchestrator webhooks retry msg_0f5c2a6e9d3b4c1f8a7e6d5c4b3a2f10
  ec2-orchestrator webhooks retry --dead
"""
_COLUMNS = (
    Column("AT"),
    Column("MESSAGE"),
    Column("STATE"),
    Column("TRIES", rank=3, right=True),
    Column("NEXT TRY", rank=2),
    Column("ABOUT", rank=1),
    Column("LAST ERROR", rank=4, text=True),
    Column("ID", rank=5),
)
_STATES = {"pending": "yellow", "delivered": "green", "dead": "bold red"}


@click.group(
    "webhooks",
    invoke_without_command=True,
    short_help="Show what was told to the webhook, or tell it again.",
    epilog=_EPILOG,
)
@click.option("--state", type=click.Choice(list(_STATES)), help="Only those of which this became.")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many of the latest."
)
@output.json_option
@reach.service
@click.pass_context
def webhooks(
    context: click.Context, *, client: "Client", state: str | None, limit: int, as_json: bool
) -> None:
    """Show the messages to the webhook, and what became of them. The newest comes last.

    What was delivered is kept for a day, what was given up for thirty.
    """
    if context.invoked_subcommand is not None:
        return
    found = list(islice(client.webhook_messages(state=state), limit))[::-1]
    if as_json:
        output.write_json([output.wire(message) for message in found])
        return
    surroundings: Surroundings = context.obj
    rows = [_row(message) for message in found]
    tables.show_or_say(Table(_COLUMNS, rows, surroundings.now()), "There is none.")


@webhooks.command("retry", short_help="Send messages once more.", epilog=_RETRY_EPILOG)
@click.argument("message", required=False)
@click.option("--dead", is_flag=True, help="All that were given up.")
@output.json_option
@reach.service
def retry(*, client: "Client", message: str | None, dead: bool, as_json: bool) -> None:
    """Send a MESSAGE once more, by its id, or all that were given up.

    As if it were new: at once, and again with ever longer pauses while it is refused.
    """
    if (message is None) is not dead:
        raise click.UsageError("Name one message, or give --dead.")
    wanted = [message] if message else [one.id for one in client.webhook_messages(state="dead")]
    # The oldest first, as they were written.
    sent = [client.retry_webhook_message(one) for one in reversed(wanted)]
    if as_json:
        output.write_json([output.wire(one) for one in sent])
    elif message:
        click.echo(f"{message} is sent at once.")
    else:
        click.echo(f"{len(sent)} sent at once." if sent else "None was given up.")


def _row(message: "WebhookMessage") -> tuple[tables.Cell, ...]:
    about = message.body.get("data", {})
    return (
        message.at,
        message.type,
        Text(message.state, style=_STATES.get(message.state, "")),
        message.attempts,
        message.next_attempt_at if message.attempts else None,
        about.get("project") or message.pool,
        message.last_error,
        message.id,
    )
