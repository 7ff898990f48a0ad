"""Signatures as the Standard Webhooks specification has them (standardwebhooks.com, version 1)."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime


def headers(secrets: Sequence[bytes], message: str, body: bytes, *, at: datetime) -> dict[str, str]:
    """Return the headers of a message that is sent at this time: its id, the time, and the signatures.

    With several secrets there are several signatures, of which a receiver needs to know one.
    """
    seconds = str(int(at.timestamp()))
    signed = b".".join((message.encode(), seconds.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in secrets)
    return {
        "webhook-id": message,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
