"""Where a list goes on, in a form that nobody is tempted to make up."""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from app.domain.errors import InvalidQuery

LOOKS = "^[A-Za-z0-9_-]+$"
NOT_OURS = "It is not one that an answer of this list had as `next`"
_NUMBER = re.compile("[1-9][0-9]{0,17}")  # no more than a database counts to


def written(of: str, key: object) -> str:
    """Write the cursor that leads to what follows `key` in the list `of`."""
    return urlsafe_b64encode(f"{of}:{key}".encode()).decode().rstrip("=")


def read(of: str, cursor: str | None) -> str | None:
    """Return the key in a cursor of the list `of`, or None without one. Raises InvalidQuery."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        whose, _, key = urlsafe_b64decode(padded.encode()).decode().partition(":")
    except (binascii.Error, ValueError):
        whose, key = "", ""
    if whose != of or not key or written(of, key) != cursor or not key.isprintable():
        raise InvalidQuery(faults=[("cursor", NOT_OURS)])
    return key


def number(of: str, cursor: str | None) -> int | None:
    """Return the key where it is a number, as `read` does."""
    key = read(of, cursor)
    if key is None:
        return None
    if not _NUMBER.fullmatch(key):
        raise InvalidQuery(faults=[("cursor", NOT_OURS)])
    return int(key)
