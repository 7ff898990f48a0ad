"""Sends messages to the webhook: the Sender port over HTTP, signed as the Standard Webhooks have it."""

from app.webhook.examination import examine_webhook
from app.webhook.sender import WebhookSender

__all__ = ["WebhookSender", "examine_webhook"]
