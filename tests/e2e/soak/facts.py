"""The record of a soak: what was asked, answered, done to AWS and seen there, each with its time.

Times are seconds since the epoch, of the one clock that all processes of this machine share. What accuses
the service is written after it was seen; what excuses it (a release, a deed of ours) before it can have an
effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from app.simulator.clock import utc_now


def now() -> float:
    return utc_now().timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    at: float

    @property
    def subjects(self) -> frozenset[str]:
        """The instance and the project that it is about."""
        named = (getattr(self, name, None) for name in ("instance", "project"))
        return frozenset(name for name in named if name is not None)

    def told(self) -> str:
        """The fact in one line, without its time."""
        shown = ((field.name, getattr(self, field.name)) for field in fields(self) if field.name != "at")
        words = [f"{name}={value}" for name, value in shown if value is not None]
        return " ".join([type(self).__name__, *words])


# What users asked, and what they were told.


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Fact):
    """One request, sent `at`, answered or broken off `until`. Status None: the connection broke."""

    until: float
    status: int | None
    code: str | None = None
    """Of the problem, or the name of the connection's error."""
    proper: bool = True
    """Whether the answer has the form that its status promises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Request):
    project: str
    instance: str | None = None
    wait: float = 0.0
    """Seconds that it was to wait in line."""
    ttl: int | None = None
    """Seconds after which it was to end by itself."""
    ends_at: float | None = None
    """When the allocation ends, by the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal(Request):
    project: str
    instance: str | None = None
    ends_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HungUp(Fact):
    """The only request of this project is closed now, without having been answered."""

    project: str
    since: float
    """It was not closed before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSent(Fact):
    """Somebody is about to send POST /destroy."""

    instance: str
    project: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Request):
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRead(Request):
    idle: int = 0
    used: int = 0
    total: int = 0
    held: tuple[tuple[str, str | None], ...] = ()
    """Each used instance, with its project."""


# What was done to the service.


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed(Fact):
    """Every process of it is about to be killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving(Fact):
    """It answers again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseLost(Fact):
    """Its database is gone; `tags` is who held what by the tags in AWS."""

    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsRead(Fact):
    """After a lost database: in use by its tags, and not allocated again within the time allowed."""

    forgotten: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell(Fact):
    """A fault is in force now."""

    kind: str
    detail: str = ""


# What happened at AWS.


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed(Fact):
    """The soak is about to end an instance behind the service's back, as AWS or a person would."""

    instance: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsCall(Fact):
    """A call of the service arrived at AWS, whatever came of it."""

    action: str
    instance: str | None = None
    desired: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial(Fact):
    """AWS denied a call."""

    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched(Fact):
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired(Fact):
    """The group began to terminate a member: at the `service`'s request, as `unhealthy`, or to `scale-in`."""

    instance: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredWritten(Fact):
    """Desired capacity was written: by SetDesiredCapacity, or (`others`) by the control API."""

    before: int
    after: int
    others: bool


# What the service says of itself.


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail(Fact):
    """A line of the audit trail."""

    number: int = 0
    kind: str
    actor: str
    instance: str | None = None
    project: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Fact):
    """The webhook has taken a message."""

    id: str
    kind: str
    event: int
    """The number of the line in the audit trail that it tells of."""
    body: str
    instance: str | None = None
    project: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Fact):
    """What was written before should have arrived at the webhook by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine(Fact):
    """A line of the log that should not be there."""

    event: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm(Fact):
    """How it stands after quiet time."""

    seconds: float
    """How long that took."""
    bound: float
    """How long it may take."""
    buffer: int
    idle: int
    used: int
    booting: int
    terminating: int
    total: int
    desired: int | None
    reason: str | None
    """What `limitedBy` and `warnings` say, where they say anything."""
    listed: frozenset[str]
    """What /status lists as idle or used."""
    members: frozenset[str]
    """Members in service at AWS."""
    alive: frozenset[str]
    """Instances that are not terminated at AWS."""
    refused: tuple[str, ...] = ()
    """Projects that hold an instance and did not get it when they asked."""
