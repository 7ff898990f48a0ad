"""A log line as it is written: as JSON, or for people; never with a secret in it, wherever that came from.

Nothing logs secrets on purpose. This is for the day when a library's message or an error's text has one.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping

import structlog
from structlog.typing import EventDict

Render = Callable[[EventDict], str]

MASK = "***"
SHORTEST = 10
"""Characters. What is shorter is no secret to speak of, is often a word, and would hide it everywhere."""

_KNOWN_BY_SIGHT = (
    # The first part of a token is public, and tells which one to revoke.
    (re.compile(r"(eco_[0-9a-f]{8}_)[A-Za-z0-9_-]{43}"), rf"\1{MASK}"),
    # A URL with a password: up to the last @ before the host. What begins like a port and a path is one.
    (re.compile(r"(://[^\s/:]*:)(?!\d{1,5}/)(?:(?!://)[^\s@])+(?:@[^\s@/?]*)*(?=@)"), rf"\1{MASK}"),
    # The dashboard's cookie: as it is sent, and as Python writes what has it in it.
    (re.compile(r"""(orchestrator-session[\w-]*[\\'"]*\s*[=:,]\s*[\\'"]*)[^;\s'",\\]+"""), rf"\1{MASK}"),
    # A header, whatever stands in it; and elsewhere only what looks like a token: others bear things, too.
    (
        re.compile(r"""(authorization\W{1,8}(?:b\\*['"])?(?:bearer|basic)\s+)[^\s'"\\]+""", re.IGNORECASE),
        rf"\1{MASK}",
    ),
    (
        re.compile(r"(\bbearer\s+)(?=\S*\d)[\w.~+/-]{20,}=*", re.IGNORECASE | re.ASCII),
        rf"\1{MASK}",
    ),
)
_KNOWN_BY_KEY = re.compile(r"authorization|cookie|password|orchestrator-session", re.IGNORECASE)
"""What is kept under such a name in a dict is hidden whole."""
_SIGNS = ("eco_", "@", "orchestrator-session", "earer", "authorization", "cookie", "password")
"""What each of them has in it, in small letters: looking for this is quick."""

_FOR_PROGRAMS = frozenset({"event", "level", "timestamp"})
"""Fields that are ours alone, and by which lines are found."""
_DEEPEST = 8
"""Levels of lists and dicts in each other; what lies deeper is hidden as the text it is written as."""


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
    return lambda line: render(
        None, "", {name: _harmless(name, value) for name, value in line.items() if value is not None}
    )


def _harmless(name: str, value: object) -> object:
    """Return a value of which a terminal obeys nothing: with all that is no letter or sign in escapes."""
    if isinstance(value, str):
        if value.isprintable():
            return value
        if name in ("exception", "stack"):
            return "\n".join(_escaped(line) for line in value.split("\n"))
        return _escaped(value) if name in _FOR_PROGRAMS else _Shown(repr(value))
    shown = repr(value)
    return value if shown.isprintable() else _Shown(_escaped(shown))


def _escaped(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


class _Shown:
    """A value as it is to be shown, whoever writes it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class Masked:
    """Renders lines without secrets: those that are given, and those that are known by their looks.

    Never raises: a value that cannot be written costs no request its answer.
    """

    def __init__(self, render: Render, secrets: Iterable[str]) -> None:
        self._render = render
        known = sorted({one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True)
        self._literal = re.compile("|".join(map(_in_any_writing, known))) if known else None
        forms = {form for one in known for form in (one, json.dumps(one)[1:-1], repr(one)[1:-1])}
        self._signs = (*_SIGNS, *map(_bare, forms))

    def __call__(self, _logger: object, _method: str, line: EventDict) -> str:
        """Render it; what costs time is done only where there is something to hide."""
        try:
            text = self._render(line)
        except Exception:  # noqa: BLE001 - see above
            text = self._render({name: _plain(value) for name, value in line.items()})
        bare = _bare(text)
        if not any(map(bare.__contains__, self._signs)):
            return text
        return self._render(
            {
                name: _plain(value) if name in _FOR_PROGRAMS else self._hide(value)
                for name, value in line.items()
            }
        )

    def _hide(self, value: object, depth: int = 0) -> object:
        """Mask what is secret in a value, in what it has in it, or in what would be written of it."""
        if depth < _DEEPEST:
            if isinstance(value, Mapping):
                return {
                    self._hide_key(key): MASK
                    if isinstance(key, str) and _KNOWN_BY_KEY.search(key)
                    else self._hide(one, depth + 1)
                    for key, one in value.items()
                }
            if isinstance(value, list | tuple):
                return [self._hide(one, depth + 1) for one in value]
        text = _plain(value)
        if not isinstance(text, str):
            return value
        hidden = text
        for looks, mask in _KNOWN_BY_SIGHT:  # first: a secret may be part of what they are known by
            hidden = looks.sub(mask, hidden)
        return hidden if self._literal is None else self._literal.sub(MASK, hidden)

    def _hide_key(self, key: object) -> object:
        hidden = self._hide(key, _DEEPEST)
        return hidden if hidden is None or isinstance(hidden, str | bool | int | float) else str(hidden)


def _bare(text: str) -> str:
    """Return a text for a quick look: alike however often it was quoted."""
    return (text.replace("\\", "") if "\\" in text else text).lower()


_BEGINS = r"(?:(?<![\w-])|(?<=\\[abfnrtv])|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
"""Where a word begins: also behind what stands for another sign."""
_ENDS = r"(?![\w-])"


def _in_any_writing(secret: str) -> str:
    """Make a pattern of a secret, as it is and as quoted any number of times; whole words alone."""
    pattern = "".join(map(_sign, secret))
    begins = _BEGINS if secret[0].isalnum() else ""
    return f"{begins}{pattern}{_ENDS if secret[-1].isalnum() else ''}"


def _sign(sign: str) -> str:
    if sign == "\\":
        return r"\\+"
    if sign in "'\"":
        return rf"\\*{sign}"
    if sign.isascii() and sign.isprintable():
        return re.escape(sign)
    quoted = {repr(sign)[1:-1], json.dumps(sign)[1:-1], sign.encode("unicode_escape").decode("ascii")}
    ways = [re.escape(sign), *(one.replace("\\", r"\\+") for one in sorted(quoted) if one != sign)]
    return f"(?:{'|'.join(ways)})"


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
