"""`ec2-orchestrator webhooks`, and what can be done with its messages."""

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
  ec2-orchestrator webhooks test
  ec2-orchestrator webhooks retry --dead
"""
_DISCARD_EPILOG = """\b
Examples:
  ec2-orchestrator webhooks discard msg_0f5c2a6e9d3b4c1f8a7e6d5c4b3a2f10
  ec2-orchestrator webhooks discard --dead
"""
_TEST_EPILOG = """\b
Examples:
  ec2-orchestrator webhooks test && ec2-orchestrator webhooks -n 1
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
    one = _one(message, dead=dead)
    if one is not None:
        again = client.retry_webhook_message(one)
        _say(output.wire(again), f"{one} is to be sent.", as_json=as_json)
    else:
        count = client.retry_dead_webhook_messages()
        _say({"messages": count}, f"{_several(count)} to be sent.", as_json=as_json)


@webhooks.command("discard", short_help="Forget messages at once.", epilog=_DISCARD_EPILOG)
@click.argument("message", required=False)
@click.option("--dead", is_flag=True, help="All that were given up.")
@output.json_option
@reach.service
def discard(*, client: "Client", message: str | None, dead: bool, as_json: bool) -> None:
    """Forget a MESSAGE at once, by its id, or all that were given up. They are not sent any more."""
    one = _one(message, dead=dead)
    if one is not None:
        gone = client.discard_webhook_message(one)
        _say(output.wire(gone), f"{one} is forgotten.", as_json=as_json)
    else:
        count = client.discard_dead_webhook_messages()
        _say({"messages": count}, f"{_several(count)} forgotten.", as_json=as_json)


@webhooks.command("test", short_help="Send a message that tells nothing.", epilog=_TEST_EPILOG)
@output.json_option
@reach.service
def test(*, client: "Client", as_json: bool) -> None:
    """Send a message `webhook.test` to the webhook, to see that messages arrive.

    The leader sends it within a second or two; `ec2-orchestrator webhooks` shows what became of it.
    """
    message = client.test_webhook()
    _say(output.wire(message), f"{message.id} is to be sent.", as_json=as_json)


def _one(message: str | None, *, dead: bool) -> str | None:
    if (message is None) is not dead:
        raise click.UsageError("Name one message, or give --dead.")
    return message


def _several(count: int) -> str:
    return f"{count} dead {'message is' if count == 1 else 'messages are'}"


def _say(wire: object, words: str, *, as_json: bool) -> None:
    if as_json:
        output.write_json(wire)
    else:
        click.echo(words)


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
