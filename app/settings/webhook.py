"""The webhook: where messages are sent, and what they are signed with."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.domain.addresses import address_of, objection

SECRET = "whsec_"  # noqa: S105 - how secrets begin
LEAST, MOST = 24, 64
"""Bytes that a secret has, by the specification of Standard Webhooks."""
_SHOWN = re.compile(r"[!-~]+")
"""What can stand in a URL; all else is to be escaped."""


_SHAPE = "must be https://HOST/PATH or https://HOST:PORT/PATH, or http:// where the network is trusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """What is set of the webhook."""

    url: str = field(repr=False)
    """It may have a secret in its path."""
    keys: tuple[bytes, ...] = field(repr=False)
    """What each message is signed with."""
    link_local: bool
    """Whether it may lead to link-local addresses, and to those at which clouds serve secrets."""


def checked(url: str) -> str:
    """Return a URL that messages can be sent to, or raise ValueError, which says what is wrong with it."""
    if not _SHOWN.fullmatch(url):
        raise ValueError("must have ASCII letters, digits and signs alone: escape the others, blanks too")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its words have parts of the URL, in which a secret may be
        raise ValueError(f"is no URL: {_SHAPE}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(_SHAPE)
    if "@" in parts.netloc:
        raise ValueError("must have no user and no password: messages are signed instead")
    if "#" in url:
        raise ValueError("must have no fragment, the part after #: it is never sent")
    return url


def keys(text: str) -> tuple[bytes, ...]:
    """Read the secrets, of which there are several where blanks stand between them; or raise ValueError."""
    found = tuple(_key(one) for one in text.split())
    if not found:
        raise ValueError(_EXAMPLE)
    return found


_EXAMPLE = (
    f"must be {SECRET} and then {LEAST} to {MOST} bytes in base64: for example {SECRET} and the output of "
    "'openssl rand -base64 32'"
)


def _key(text: str) -> bytes:
    encoded = text.removeprefix(SECRET)
    if encoded == text:
        raise ValueError(_EXAMPLE)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        raise ValueError(_EXAMPLE) from None
    if not LEAST <= len(key) <= MOST:
        raise ValueError(f"{_EXAMPLE}; one of these has {len(key)} bytes")
    return key


def clashes(url: str | None, secret: str | None, *, link_local: bool) -> Iterator[str]:
    """Find what does not fit together, of what was written."""
    if not url:
        return
    if not secret:
        yield (
            "ORCHESTRATOR_WEBHOOK_URL needs ORCHESTRATOR_WEBHOOK_SECRET: receivers know by the signature who "
            f"has sent a message. It {_EXAMPLE}"
        )
    try:
        address = address_of(urlsplit(checked(url)).hostname or "")
    except ValueError:  # told already
        return
    reason = address and objection(address, link_local=link_local)
    if address is not None and reason is not None:
        hint = "" if objection(address, link_local=True) else ": ORCHESTRATOR_WEBHOOK_LINK_LOCAL=on allows it"
        yield f"ORCHESTRATOR_WEBHOOK_URL leads to {address}, and {reason}{hint}"


def doubts(url: str | None, *, secret: bool) -> Iterator[str]:
    """Say what is allowed, and should be known."""
    if url is None:
        if secret:
            yield "ORCHESTRATOR_WEBHOOK_SECRET is set, and ORCHESTRATOR_WEBHOOK_URL is not: nothing is sent."
        return
    parts = urlsplit(url)
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        yield (
            "ORCHESTRATOR_WEBHOOK_URL is http://: whoever is on the way can read the messages, and keep them "
            "back. They are signed, so nobody can change or invent one."
        )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
