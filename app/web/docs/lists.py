"""The lists that the descriptions refer to: every word that an answer may have, and what it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.errors import CloudError
from app.domain.events import EventKind
from app.domain.model import TRANSITIONS, EndReason, InstanceState, Limit
from app.web.docs import meanings

Json = dict[str, Any]

_NOWHERE = {"method-not-allowed": (405, "Method Not Allowed")}
"""Errors of no operation, and so in no part of the document."""
_FROM_AWS = "`ec2-orchestrator doctor` on the service's machine says more"


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """One list; its anchor is `list-of-` and the name, that of a row `word-NAME-` and the word."""

    name: str
    told: str
    header: Sequence[str]
    rows: Mapping[str, Sequence[str]]
    """By word: the other cells, in Markdown."""

    @property
    def slug(self) -> str:
        """The anchor, which descriptions link to."""
        return f"list-of-{self.name.replace(' ', '-')}"


def of(document: Json) -> list[List]:
    """Return every list, in the order of the page."""
    return [
        List(
            name="errors",
            told="What `code` of an error may be. Any other that HTTP knows has its name as code, in small "
            "letters with hyphens.",
            header=("code", "status", "meaning", "what to do"),
            rows=_errors(document),
        ),
        List(
            name="states",
            told="What `state` of an instance may be. No way leads from `allocated` back to `idle`: an "
            "instance is never used twice.",
            header=("state", "meaning", "may become"),
            rows={
                state: (
                    told,
                    ", ".join(f"`{one}`" for one in sorted(TRANSITIONS[InstanceState(state)])) or "-",
                )
                for state, told in meanings.members(InstanceState).items()
            },
        ),
        List(
            name="end reasons",
            told="What `endReason` of an instance may be, and the reason of the events of its end.",
            header=("reason", "meaning"),
            rows=_one_cell(meanings.members(EndReason)),
        ),
        List(
            name="limits",
            told="What `limitedBy` of a pool may be: why its buffer cannot be met. Where it is null, and "
            "fewer are idle than `buffer`, the others are on their way: `booting` says how many.",
            header=("limit", "meaning"),
            rows=_one_cell(meanings.members(Limit)),
        ),
        List(
            name="warnings",
            told="What `code` of a warning may be. Those that begin with `aws-` say what AWS answered.",
            header=("code", "meaning", "what to do"),
            rows=warnings(),
        ),
        List(
            name="events",
            told="What `kind` of an event may be.",
            header=("kind", "meaning"),
            rows=_one_cell(meanings.members(EventKind)),
        ),
    ]


def _one_cell(told: Mapping[str, str]) -> dict[str, Sequence[str]]:
    return {word: (meaning,) for word, meaning in told.items()}


def warnings() -> dict[str, Sequence[str]]:
    """Return meaning and remedy, in Markdown, of each code that a warning may have."""
    ours: dict[str, Sequence[str]] = {code: others for code, *others in meanings.warnings()}
    answered = {kind.code: (kind.title(), _FROM_AWS) for kind in _tree(CloudError)}
    return {**ours, **{code: cells for code, cells in answered.items() if code not in ours}}


def _errors(document: Json) -> dict[str, Sequence[str]]:
    found = {**_answered(document), **_NOWHERE}
    return {
        code: (str(status), title, meanings.errors()[code])
        for code, (status, title) in sorted(found.items(), key=lambda one: (one[1][0], one[0]))
    }


def _answered(document: Json) -> dict[str, tuple[int, str]]:
    """Return the status and title of each error in the document, by its code."""
    responses = [*document["components"]["responses"].values()]
    for methods in document["paths"].values():
        for told in methods.values():
            responses += told["responses"].values()
    return {
        code: (int(example["value"]["status"]), example["value"]["title"])
        for response in responses
        for content in response.get("content", {}).values()
        for code, example in content.get("examples", {}).items()
    }


def _tree(kind: type[CloudError]) -> list[type[CloudError]]:
    """Return those with a code of their own: adapters have more classes, for themselves."""
    below = [one for one in kind.__subclasses__() if "code" in vars(one)]
    return [kind, *(one for each in below for one in _tree(each))]
