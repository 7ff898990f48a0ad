"""Webhooks: the messages that were sent, are to be sent, or were given up."""

import json

from flask import Blueprint, Response

from app.api.v1 import WebhookMessage, WebhookMessagePage
from app.domain.access import Role
from app.domain.errors import MessageNotFound
from app.ports import Message, Outbox
from app.web import cursors, examples, rendering
from app.web.operations import Reply, operation
from app.web.queries import WebhooksQuery

TAG = "Webhooks"


def blueprint(outbox: Outbox) -> Blueprint:
    """Serve /v1/webhooks."""
    pages = Blueprint("webhooks", __name__, url_prefix="/v1/webhooks")

    @pages.get("")
    @operation(
        "listWebhookMessages",
        TAG,
        Role.VIEWER,
        query=WebhooksQuery,
        replies={200: Reply(what="A part of the list", model=WebhookMessagePage, example=examples.MESSAGES)},
    )
    def listed(query: WebhooksQuery) -> Response:
        """List the messages to the webhook.

        The newest first. What was delivered is kept for a day, what was given up for thirty. What the
        messages say, and how a receiver knows that they are genuine: `webhooks` in `/openapi.json`.
        """
        found = outbox.messages(
            state=query.state,
            before=cursors.number("webhooks", query.cursor),
            limit=query.limit,
        )
        return rendering.page("webhooks", found, lambda one: one.number, _shown)

    @pages.post("/<message>/retry")
    @operation(
        "retryWebhookMessage",
        TAG,
        Role.ADMIN,
        replies={202: Reply(what="It is sent at once", model=WebhookMessage, example=examples.MESSAGE)},
        errors=(MessageNotFound,),
    )
    def retry(message: str) -> Response:
        """Send a message once more.

        As if it were new, whatever became of it: at once, and again with ever longer pauses while it is
        refused. The receiver knows it by its id, which is the same.
        """
        return rendering.answer(_shown(outbox.retry(message)), 202)

    return pages


def _shown(one: Message) -> WebhookMessage:
    return WebhookMessage(
        id=one.id,
        type=one.kind,
        pool=one.pool,
        at=one.at,
        state=one.delivery.value,
        attempts=one.attempts,
        next_attempt_at=one.due_at,
        ended_at=one.ended_at,
        last_error=one.last_error,
        body=json.loads(one.body),
    )
