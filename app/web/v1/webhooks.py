"""Webhooks: the messages that were sent, are to be sent, or were given up."""

import json

from flask import Blueprint, Response

from app.api.v1 import WebhookCount, WebhookMessage, WebhookMessagePage
from app.domain.access import Role
from app.domain.errors import MessageNotFound, WebhookOff
from app.ports import Message
from app.service.mailbox import Mailbox
from app.web import auth, cursors, examples, rendering
from app.web.operations import Reply, operation
from app.web.queries import WebhooksQuery

TAG = "Webhooks"


def blueprint(mailbox: Mailbox) -> Blueprint:
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
        found = mailbox.messages(
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
        replies={202: Reply(what="It is to be sent", model=WebhookMessage, example=examples.MESSAGE)},
        errors=(MessageNotFound, WebhookOff),
    )
    def retry(message: str) -> Response:
        """Send a message once more.

        As if it were new, whatever became of it: at once, also where the receiver had asked for time, and
        again with ever longer pauses while it is refused. The receiver knows it by its id, which is the same.
        """
        return rendering.answer(_shown(mailbox.retry(message)), 202)

    @pages.post("/dead/retry")
    @operation(
        "retryDeadWebhookMessages",
        TAG,
        Role.ADMIN,
        replies={202: Reply(what="They are to be sent", model=WebhookCount, example=examples.MESSAGE_COUNT)},
        errors=(WebhookOff,),
    )
    def retry_dead() -> Response:
        """Send all dead messages once more.

        Those that were given up, the oldest first, as if they were new.
        """
        return rendering.answer(WebhookCount(messages=mailbox.retry_dead()), 202)

    @pages.delete("/<message>")
    @operation(
        "discardWebhookMessage",
        TAG,
        Role.ADMIN,
        replies={200: Reply(what="The message as it was", model=WebhookMessage, example=examples.MESSAGE)},
        errors=(MessageNotFound,),
    )
    def discard(message: str) -> Response:
        """Discard a message.

        It is forgotten at once, whatever became of it. One that was to be sent is sent no more, unless it is
        on its way.
        """
        return rendering.answer(_shown(mailbox.discard(message)))

    @pages.delete("/dead")
    @operation(
        "discardDeadWebhookMessages",
        TAG,
        Role.ADMIN,
        replies={200: Reply(what="They are forgotten", model=WebhookCount, example=examples.MESSAGE_COUNT)},
    )
    def discard_dead() -> Response:
        """Discard all dead messages.

        Those that were given up: they are forgotten at once, and the warning `webhook-dead` ends.
        """
        return rendering.answer(WebhookCount(messages=mailbox.discard_dead()))

    @pages.post("")
    @operation(
        "testWebhook",
        TAG,
        Role.ADMIN,
        replies={202: Reply(what="It is to be sent", model=WebhookMessage, example=examples.TEST)},
        errors=(WebhookOff,),
    )
    def test() -> Response:
        """Send a test message.

        Its type is `webhook.test`. It is signed, sent and kept like all others: the list shows whether it was
        taken.
        """
        return rendering.answer(_shown(mailbox.test(actor=auth.actor())), 202)

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
