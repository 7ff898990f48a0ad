"""A log line as it is written: as JSON, or for people; never with a secret in it, wherever that came from.

Nothing logs secrets on purpose. This is for the day when a library's message or an error's text has one.
"""

import json
import re
from collections.abc import Callable, Iterable

import structlog
from structlog.typing import EventDict

Render = Callable[[EventDict], str]

MASK = "***"
SHORTEST = 10
"""Characters. What is shorter is no secret to speak of, is often a word, and would hide it everywhere."""

_KNOWN_BY_SIGHT = (
    # The first part of a token is public, and tells which one to revoke.
    (re.compile(r"(eco_[0-9a-f]{8}_)[A-Za-z0-9_-]{43}"), rf"\1{MASK}"),
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)"), rf"\1{MASK}"),  # a URL with a password in it
    (re.compile(r"(orchestrator-session[^=\s]*=)[^;\s]+"), rf"\1{MASK}"),  # the dashboard's cookie
    (re.compile(r"(\bbearer\s+)[!-~]{8,}", re.IGNORECASE), rf"\1{MASK}"),
)
_SIGNS = ("eco_", "@", "orchestrator-session", "earer", "EARER")
"""What each of them has in it: looking for this is quick."""


def for_programs(line: EventDict) -> str:
    """Write one JSON object; what JSON does not know, as Python writes it."""
    return _ENCODER.encode(line)


def for_people(*, colours: bool) -> Render:
    """Make what writes for people: without the fields that say nothing."""
    render = structlog.dev.ConsoleRenderer(
        colors=colours,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,  # a rich one shows variables: keys, tokens
    )
    return lambda line: render(None, "", {name: value for name, value in line.items() if value is not None})


class Masked:
    """Renders lines without secrets: those that are given, and those that are known by their looks.

    Never raises: a value that cannot be written costs no request its answer.
    """

    def __init__(self, render: Render, secrets: Iterable[str]) -> None:
        self._render = render
        self._secrets = sorted({one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True)
        forms = {form for one in self._secrets for form in (one, json.dumps(one)[1:-1], repr(one)[1:-1])}
        self._signs = (*_SIGNS, *forms)

    def __call__(self, _logger: object, _method: str, line: EventDict) -> str:
        """Render it; what costs time is done only where there is something to hide."""
        try:
            text = self._render(line)
        except Exception:  # noqa: BLE001 - see above
            text = self._render({name: _plain(value) for name, value in line.items()})
        if not any(sign in text for sign in self._signs):
            return text
        return self._render({name: self._hide(value) for name, value in line.items()})

    def _hide(self, value: object) -> object:
        """Mask what is secret in a value, or in what would be written of it."""
        text = _plain(value)
        if not isinstance(text, str):
            return value
        hidden = text
        for secret in self._secrets:
            hidden = hidden.replace(secret, MASK)
        for looks, mask in _KNOWN_BY_SIGHT:
            hidden = looks.sub(mask, hidden)
        return hidden


def _plain(value: object) -> object:
    """Return what can be written of a value."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - as above
        return f"<{type(value).__name__}>"


_ENCODER = json.JSONEncoder(default=repr)
"""Made once: json.dumps makes a new one for each call that has a `default`."""
