"""The part of the OpenAPI document that tells what is sent to the webhook."""

from typing import Any

from app.api.webhooks import Told
from app.web import examples
from app.web.operations import JSON

_HEADERS = {
    "webhook-id": "The message's id: the same each time it is sent, so that it is acted on once",
    "webhook-timestamp": "When it was sent, in seconds since 1970: refuse what is more than five minutes off",
    "webhook-signature": "`v1,` and the HMAC-SHA256, in base64, of id, timestamp and body with dots between "
    "them; several, with blanks between them, while the secret is changed",
}


def messages() -> tuple[type[Told], ...]:
    """Return the model of each message."""
    return tuple(type(one) for one in examples.TOLD)


def webhooks() -> dict[str, Any]:
    """Return what `webhooks` of the document has: an operation of the receiver for each message."""
    return {one.type: {"post": _operation(one)} for one in examples.TOLD}


def _operation(one: Told) -> dict[str, Any]:
    name = type(one).__name__
    summary, _, _ = (type(one).__doc__ or "").partition("\n")
    return {
        "operationId": f"told{name}",
        "tags": ["Webhooks"],
        "summary": summary.rstrip("."),
        "description": "Sent to `ORCHESTRATOR_WEBHOOK_URL` once at least, signed as "
        "[Standard Webhooks](https://www.standardwebhooks.com) have it.",
        "security": [],
        "parameters": [
            {
                "name": header,
                "in": "header",
                "required": True,
                "description": told,
                "schema": {"type": "string"},
            }
            for header, told in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"$ref": f"#/components/schemas/{name}"},
                    "example": one.model_dump(mode="json", by_alias=True),
                }
            },
        },
        "responses": {
            "2XX": {"description": "It is taken; what the answer says is not read"},
            "410": {"description": "It is never to be sent again"},
            "default": {"description": "It is sent again later, for about three days; see `Retry-After`"},
        },
    }
