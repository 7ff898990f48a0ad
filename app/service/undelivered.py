"""What an operator should know of messages that do not reach the webhook."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.domain.model import Notice
from app.ports import Backlog

PATIENCE = timedelta(minutes=5)
"""How long a message may have been refused before that is told: a receiver may be restarted."""


def undelivered(backlog: Backlog, now: datetime) -> Iterator[Notice]:
    """Tell whether the webhook takes no messages, and whether some were given up."""
    if backlog.refused_at is not None and now - backlog.refused_at > PATIENCE:
        yield Notice(
            code="webhook-failing",
            detail=f"The webhook has not taken a message of {backlog.refused_at:%Y-%m-%d %H:%M:%S} UTC, and "
            f"{backlog.pending} {'waits' if backlog.pending == 1 else 'wait'} to be sent. To see why: "
            "ec2-orchestrator webhooks --state pending",
        )
    if backlog.dead:
        several = "message was" if backlog.dead == 1 else "messages were"
        yield Notice(
            code="webhook-dead",
            detail=f"{backlog.dead} {several} not taken by the webhook, and given up. To see why: "
            "ec2-orchestrator webhooks --state dead; to send them once more: "
            "ec2-orchestrator webhooks retry --dead",
        )
