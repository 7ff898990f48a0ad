"""What an operator should know of messages that do not reach the webhook."""

from collections.abc import Iterator
from datetime import timedelta

from app.domain.model import Notice
from app.ports import Backlog

PATIENCE = timedelta(minutes=5)
"""How long messages may not be taken, or not be tried, before that is told: a receiver may be restarted."""


def undelivered(backlog: Backlog) -> Iterator[Notice]:
    """Tell whether messages do not reach the webhook, and whether some were given up."""
    waits = f"{backlog.pending} {'waits' if backlog.pending == 1 else 'wait'} to be sent"
    if backlog.refused > PATIENCE:
        yield Notice(
            code="webhook-failing",
            detail=f"The webhook has not taken a message for more than five minutes, and {waits}. To see "
            "why: ec2-orchestrator webhooks --state pending",
        )
    elif backlog.late > PATIENCE:
        yield Notice(
            code="webhook-failing",
            detail=f"Messages to the webhook are more than five minutes late, and {waits}: it takes them "
            "more slowly than they are written, or nobody sends them, because no replica leads, or the one "
            "that does has no ORCHESTRATOR_WEBHOOK_URL.",
        )
    if backlog.dead:
        several = "message was" if backlog.dead == 1 else "messages were"
        yield Notice(
            code="webhook-dead",
            detail=f"{backlog.dead} {several} not taken by the webhook, and given up. To see why: "
            "ec2-orchestrator webhooks --state dead; to send them once more: "
            "ec2-orchestrator webhooks retry --dead; to be rid of them: ec2-orchestrator webhooks discard "
            "--dead",
        )
