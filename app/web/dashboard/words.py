"""How values stand on a page."""

from datetime import UTC, datetime

from flask import Blueprint
from markupsafe import Markup, escape

from app.domain.events import EventKind
from app.domain.model import Instance, InstanceState, url_of

STATES = {
    InstanceState.BOOTING: "booting",
    InstanceState.IDLE: "idle",
    InstanceState.ALLOCATED: "in use",
    InstanceState.TERMINATING: "ending",
    InstanceState.TERMINATED: "ended",
}
_LAST = {
    InstanceState.BOOTING: "booting",
    InstanceState.IDLE: "ready",
    InstanceState.ALLOCATED: "allocated",
    InstanceState.TERMINATING: "ending",
    InstanceState.TERMINATED: "ended",
}

EVENTS = {
    EventKind.INSTANCE_DISCOVERED: "New",
    EventKind.INSTANCE_IDLE: "Ready",
    EventKind.INSTANCE_WITHDRAWN: "Withdrawn",
    EventKind.INSTANCE_TERMINATING: "Ending",
    EventKind.INSTANCE_TERMINATED: "Ended",
    EventKind.ALLOCATION_UNMET: "Asked in vain",
    EventKind.ALLOCATION_CREATED: "Allocated",
    EventKind.ALLOCATION_ADOPTED: "Taken over",
    EventKind.ALLOCATION_ENDED: "Allocation ended",
    EventKind.ALLOCATION_LOST: "Allocation lost",
    EventKind.CAPACITY_RAISED: "Desired capacity raised",
    EventKind.CAPACITY_MOVED: "Desired capacity moved by others",
    EventKind.ALLOCATION_RENEWED: "Renewed",
    EventKind.ALLOCATION_CONFIRMED: "Confirmed",
    EventKind.ALLOCATION_EXPIRING: "Ends soon",
    EventKind.INSTANCE_HELD: "Held",
    EventKind.INSTANCE_UNHELD: "Hold ended",
    EventKind.POOL_PAUSED: "Paused",
    EventKind.POOL_RESUMED: "Resumed",
    EventKind.BUFFER_CHANGED: "Buffer changed",
    EventKind.POOL_LIMITED: "Limited",
    EventKind.POOL_RECOVERED: "Limited no longer",
    EventKind.TOKEN_CREATED: "Token created",
    EventKind.TOKEN_REVOKED: "Token revoked",
    EventKind.LEADER_ELECTED: "New leader",
    EventKind.INSTANCE_LEAKED: "Leak found",
}


def teach(pages: Blueprint) -> None:
    """Let the templates use these."""
    pages.add_app_template_filter(time, "time")
    pages.add_app_template_filter(state, "state_in_words")
    pages.add_app_template_filter(url, "editor_url")
    pages.add_app_template_filter(last_change, "last_change")
    pages.add_app_template_filter(short, "short")
    pages.add_app_template_filter(event, "event_in_words")


def time(at: datetime | None, reads: str = "ago") -> Markup:
    """Write a moment, absolute: what stays as it is stays the same to the byte, and need not be sent again.

    The script writes it anew each second, as it `reads`: how long "ago", "for" how long by now, "in"
    how long, or how "long" alone.
    """
    if at is None:
        return Markup("&ndash;")
    day, _, clock = at.astimezone(UTC).isoformat(timespec="seconds")[:19].partition("T")
    since = "since " if reads == "for" else ""
    written = f'<time datetime="{day}T{clock}Z" data-reads="{reads}">{since}{day} {clock} UTC</time>'
    return Markup(written)  # noqa: S704 - digits, and a word of our templates; there are a hundred on a page


def state(one: InstanceState) -> str:
    """Name a state for people."""
    return STATES.get(one, str(one))


def event(kind: EventKind) -> str:
    """Name an event for people; one that only a newer version knows, as it is written."""
    return EVENTS.get(kind, str(kind))


def url(one: Instance) -> str | None:
    """Return where the instance's editor answers; None where it has no address."""
    return None if one.address is None or one.port is None else url_of(one.address, one.port)


def last_change(one: Instance) -> Markup:
    """Say what happened last with an instance, and when: of one in use, when it was last seen to be used."""
    said, at = _LAST.get(one.state, str(one.state)), one.state_since
    reads = "for" if one.state is InstanceState.BOOTING else "ago"
    if one.state is InstanceState.ALLOCATED and one.last_activity_at is not None:
        said, at = "used", max(at, one.last_activity_at)
    if one.hold is not None and one.hold.since >= at:
        said, at, reads = f"held by {one.hold.by}", one.hold.since, "for"
    why = f": {one.hold.reason}" if reads == "for" and one.hold is not None and one.hold.reason else ""
    return escape(said) + " " + time(at, reads) + why


def short(actor: str) -> Markup:
    """Let a long name wrap where a person would part it."""
    return escape(actor).replace(":", Markup(":<wbr>"))
