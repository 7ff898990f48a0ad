"""What a person is asked before anything is done: the facts, and what will be lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from app.api.v1 import MOST_TTL
from app.domain.errors import InvalidBody
from app.domain.model import Instance, InstanceState, url_of
from app.web.dashboard import words

Fact = tuple[str, str]
"""What it is, and how it is."""

NO_LIMIT = "no time limit"
DURATIONS = (
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("28800", "8 hours"),
    ("86400", "1 day"),
    ("604800", "7 days"),
    ("2592000", "30 days"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Something to fill in."""

    name: str
    label: str
    kind: Literal["text", "number", "choice"] = "text"
    value: str = ""
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()
    needed: bool = False
    most: int | None = None
    """The largest number, or the longest text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One action on one thing, as things stand."""

    title: str
    loses: str = ""
    """What cannot be undone; empty: nothing is lost."""
    told: Sequence[str] = ()
    facts: Sequence[Fact] = ()
    fields: Sequence[Field] = ()
    shown: Mapping[str, str] = field(default_factory=dict)
    """What the decision rests on: it is sent along, and where it is no longer so nothing is done."""
    submit: str = ""
    """Empty: there is nothing to do."""
    other: tuple[str, str, str] | None = None
    """Another way to answer: name and value that are sent, and what stands on the button."""
    pool: str | None = None
    """Where to go back to."""


def facts_of(one: Instance) -> list[Fact]:
    """Tell what a person should know of an instance before ending or keeping it."""
    allocated = one.state is InstanceState.ALLOCATED
    facts: list[Fact] = []
    if allocated:
        facts.append(("Project", one.project or "not known"))
    facts += [("Instance", one.id), ("State", words.state(one.state))]
    if one.address is not None and one.port is not None:
        facts.append(("Address", url_of(one.address, one.port)))
    facts.append(("Pool", one.pool))
    if one.zone:
        facts.append(("Zone", one.zone))
    if allocated and one.allocated_at is not None:
        facts.append(("Allocated", words.time(one.allocated_at)))
        ends = words.time(one.expires_at, "until") if one.expires_at else "when it is released"
        facts.append(("Ends", ends))
        if one.confirm_by is not None:
            facts.append(("To be confirmed", words.time(one.confirm_by, "until")))
        if one.last_activity_at is not None:
            facts.append(("Last used", words.time(one.last_activity_at)))
    else:
        facts.append(("Launched", words.time(one.launched_at)))
    if one.hold is not None:
        facts += [("Held by", one.hold.by), ("Held", words.time(one.hold.since))]
        if one.hold.until is not None:
            facts.append(("Hold ends", words.time(one.hold.until, "until")))
        if one.hold.reason is not None:
            facts.append(("Held for", one.hold.reason))
    return facts


def duration(
    label: str, hint: str, value: str = "", *, none: str = NO_LIMIT, most: timedelta | None = None
) -> Field:
    """Ask for how long, `most` at most; `none` is what no choice stands for, empty: one must be made."""
    choices = [("", none)] if none else []
    if most is None:
        choices += DURATIONS
    else:
        longest = int(most.total_seconds())
        choices += [(seconds, name) for seconds, name in DURATIONS if int(seconds) < longest]
        choices.append((str(longest), in_words(most)))
    return Field(name="ttl", label=label, kind="choice", value=value, hint=hint, choices=choices)


def in_words(span: timedelta) -> str:
    """Write how long something lasts."""
    seconds = f"{span.total_seconds():g}"
    return dict(DURATIONS).get(seconds, f"{seconds} seconds")


def how_long(form: Mapping[str, str]) -> timedelta | None:
    """Read for how long, or raise InvalidBody; None: without a limit."""
    text = form.get("ttl", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < len(str(MOST_TTL)) + 1):
        raise InvalidBody("Choose a duration of the list.")
    seconds = int(text)
    if not 1 <= seconds <= MOST_TTL:
        raise InvalidBody(f"A duration is 1 to {MOST_TTL} seconds.")
    return timedelta(seconds=seconds)
