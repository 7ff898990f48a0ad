"""What is wrong with a pool, in the words that /docs has for it."""

from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from app.domain.model import Notice
from app.web.docs import lists

_MARKDOWN = MarkdownIt("commonmark", {"html": False})
_UNKNOWN = ("", "")
_TELL_ALL = frozenset({"no-pass", "paused"})
"""Codes whose detail says what to do already."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice of a pool, with what its code means and what mends it."""

    code: str
    detail: str
    meaning: Markup
    remedy: Markup


def told(notice: Notice) -> Told:
    """Tell of a notice; of a code that only a newer version knows, what it says itself."""
    meaning, remedy = _words().get(notice.code, _UNKNOWN)
    if notice.code in _TELL_ALL:
        remedy = ""
    # Not the detail, which may be AWS's own words: templates escape it.
    return Told(notice.code, notice.detail, meaning=Markup(meaning), remedy=Markup(remedy))  # noqa: S704


@cache
def _words() -> dict[str, tuple[str, str]]:
    """Return meaning and remedy of each code, as HTML."""
    return {
        code: (_MARKDOWN.renderInline(meaning), _MARKDOWN.renderInline(remedy))
        for code, (meaning, remedy) in lists.warnings().items()
    }
