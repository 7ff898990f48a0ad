"""The nouns: instance, allocation, policy, and one look at AWS (an observation)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NewType

from app.domain.errors import InvalidInstanceId, InvalidPoolName, InvalidProjectId

InstanceId = NewType("InstanceId", str)
ProjectId = NewType("ProjectId", str)
PoolName = NewType("PoolName", str)

DEFAULT_POOL = PoolName("default")

RESERVED_NAMES = frozenset(
    {
        "status",
        "destroy",
        "healthz",
        "readyz",
        "metrics",
        "dashboard",
        "docs",
        "openapi",
        "v1",
        "static",
        "login",
    }
)
"""Words that are, or will be, pages of the service itself: never a project."""

_POOL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PROJECT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_INSTANCE_ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")


def project_id(text: str) -> ProjectId:
    """Take `text` as a project id, or raise InvalidProjectId, which says why not."""
    if not _PROJECT_ID.fullmatch(text):
        raise InvalidProjectId(
            "A project id is 1 to 63 letters, digits, '_' or '-', and starts with a letter or a digit."
        )
    if text in RESERVED_NAMES:
        raise InvalidProjectId(f"'{text}' is reserved: it names a page of this service.")
    return ProjectId(text)


def instance_id(text: str) -> InstanceId:
    """Take `text` as an EC2 instance id (8 or 17 hex digits), or raise InvalidInstanceId."""
    if not _INSTANCE_ID.fullmatch(text):
        raise InvalidInstanceId("An instance id looks like i-0123456789abcdef0.")
    return InstanceId(text)


def pool_name(text: str) -> PoolName:
    """Take `text` as the name of a pool, or raise InvalidPoolName, which says why not."""
    if not _POOL_NAME.fullmatch(text):
        raise InvalidPoolName(
            "A pool's name is 1 to 63 of a-z, 0-9, '_' and '-', and starts with a letter or a digit."
        )
    return PoolName(text)


class InstanceState(StrEnum):
    """Where an instance is in its life, as the registry has it."""

    BOOTING = "booting"
    """A member that may not be handed out: not ready yet, or no longer."""
    IDLE = "idle"
    """In service, ready, held by nobody: may be handed out."""
    ALLOCATED = "allocated"
    """A project holds it."""
    TERMINATING = "terminating"
    """On its way out, by our decision or somebody else's."""
    TERMINATED = "terminated"
    """Gone. The record stays, so that the id is never taken for a new instance."""


NOT_TERMINATED = frozenset(InstanceState) - {InstanceState.TERMINATED}

TRANSITIONS: Mapping[InstanceState, frozenset[InstanceState]] = {
    InstanceState.BOOTING: frozenset(
        {
            InstanceState.IDLE,
            InstanceState.ALLOCATED,  # its tags say that somebody holds it: see Registry.adopt
            InstanceState.TERMINATING,
            InstanceState.TERMINATED,
        }
    ),
    InstanceState.IDLE: frozenset(
        {
            InstanceState.BOOTING,
            InstanceState.ALLOCATED,
            InstanceState.TERMINATING,
            InstanceState.TERMINATED,
        }
    ),
    InstanceState.ALLOCATED: frozenset({InstanceState.TERMINATING, InstanceState.TERMINATED}),
    InstanceState.TERMINATING: frozenset({InstanceState.TERMINATED}),
    InstanceState.TERMINATED: frozenset(),
}
"""Every move there is. None leads from allocated back to idle: an instance is never used twice."""


class EndReason(StrEnum):
    """Why an instance is terminating or terminated."""

    DESTROYED = "destroyed"
    """Somebody asked us to end this instance."""
    RELEASED = "released"
    """Its project was released."""
    EXPIRED = "expired"
    """Its allocation's time was over."""
    UNUSED = "unused"
    """Nobody had used it for the pool's idle timeout."""
    UNCONFIRMED = "unconfirmed"
    """Its allocation was neither confirmed, nor renewed, nor used in the time set for that."""
    ABANDONED = "abandoned"
    """Whoever waited in line for it hung up before the answer: nobody was ever told of it."""
    BOOT_TIMEOUT = "boot-timeout"
    """It did not become ready in time, so we replace it."""
    UNHEALTHY = "unhealthy"
    """It had been ready, stopped answering and did not recover, so we replace it."""
    LEFT = "left"
    """AWS, or somebody at AWS, ended it: not our decision."""
    VANISHED = "vanished"
    """Neither the group nor EC2 lists it any more."""

    @property
    def unready(self) -> bool:
        """Whether it says that the instance did not become ready, or did not stay so."""
        return self in {EndReason.BOOT_TIMEOUT, EndReason.UNHEALTHY}

    @property
    def ours(self) -> bool:
        """Whether we decided it. Only then may we ask AWS to terminate the instance.

        So is a reason that only a newer version knows: what it decided must not run on for ever, and an
        instance that it found to be going is not called for while it goes.
        """
        return self not in {EndReason.LEFT, EndReason.VANISHED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Somebody wants to look at an instance: it is neither handed out nor ended by us meanwhile."""

    since: datetime
    by: str
    until: datetime | None = None
    """When it ends by itself; None: when somebody ends it."""
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One EC2 member of a pool's group, as the registry knows it."""

    id: InstanceId
    pool: PoolName
    state: InstanceState
    state_since: datetime
    address: str | None = None
    """What is handed out: an IP address. Set once the instance has been ready."""
    port: int | None = None
    zone: str | None = None
    launched_at: datetime | None = None
    in_service_since: datetime | None = None
    """Since when looks show a booting instance in service: its time to become ready counts from here."""
    ready_at: datetime | None = None
    """When its last probe passed; None where it has failed one since, or had none."""
    template: str | None = None
    """The launch template version it was launched with, as `SeenInstance.template`."""
    missing_since: datetime | None = None
    """When a complete look missed it for the first time in a row."""
    end_reason: EndReason | None = None
    terminate_called_at: datetime | None = None
    """When AWS was last asked to terminate it and did not refuse. The answer may be lost: look."""
    project: ProjectId | None = None
    """Who holds it, or held it last. None for an allocated one: used by its tags, nobody knows by whom."""
    allocated_at: datetime | None = None
    expires_at: datetime | None = None
    """When the allocation ends unless it is renewed; None: when somebody ends it."""
    confirm_by: datetime | None = None
    """When the allocation ends unless it is confirmed, renewed or used first; None: it need not be."""
    last_activity_at: datetime | None = None
    """When the project was last seen to use it; None: not yet, or that cannot be seen."""
    tagged: bool = False
    """Whether the allocation is written on the instance in AWS."""
    hold: Hold | None = None

    @property
    def held(self) -> bool:
        """Whether somebody holds it for inspection."""
        return self.hold is not None


Known = Mapping[InstanceId, Instance]
"""What the registry has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A project holds an instance."""

    project: ProjectId
    pool: PoolName
    instance: InstanceId
    address: str
    port: int
    allocated_at: datetime
    expires_at: datetime | None = None
    """When it ends unless it is renewed; None: when somebody ends it."""
    confirm_by: datetime | None = None
    """When it ends unless it is confirmed, renewed or used first; None: it need not be, any more."""
    last_activity_at: datetime | None = None
    """When the instance was last seen in use; None: not yet, or that cannot be seen."""
    state: InstanceState = InstanceState.ALLOCATED
    """Its instance's: terminating once it is released."""

    @property
    def url(self) -> str:
        """Where VSCode Server answers."""
        return url_of(self.address, self.port)


def url_of(address: str, port: int) -> str:
    """Write the URL of an instance; an IPv6 address stands in brackets."""
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


class Lifecycle(StrEnum):
    """What the Auto Scaling group says of an instance, reduced to what we decide by.

    Source: LifecycleState in the Auto Scaling API reference, which has some thirty values.
    """

    PENDING = "pending"
    IN_SERVICE = "in-service"
    LEAVING = "leaving"
    ABSENT = "absent"
    """Not a member: the group does not list it."""
    OTHER = "other"
    """A member in a state we make nothing of (Standby, a warm pool): left alone and reported."""


class Power(StrEnum):
    """What EC2 says of an instance."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPED = "stopped"
    ENDING = "ending"
    """EC2 is shutting it down for good."""
    TERMINATED = "terminated"
    UNKNOWN = "unknown"
    """EC2 was not asked, or does not list it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenInstance:
    """An instance as one look at AWS shows it."""

    id: InstanceId
    lifecycle: Lifecycle
    power: Power
    healthy: bool = True
    protected: bool = False
    """From scale-in."""
    address: str | None = None
    """The address to hand out: public or private, as the pool is set."""
    port: int | None = None
    """From the instance's tag `ec2-orchestrator:port`; None means the pool's own."""
    holder: str | None = None
    """Who holds it by its tag `ec2-orchestrator:project`, whatever somebody wrote there but blanks."""
    held_since: datetime | None = None
    """From its tag `ec2-orchestrator:allocated-at`; None where there is none, or it is not a time."""
    template: str | None = None
    """What it was launched from: `lt-0123456789abcdef0:3` (launch template and version), or a launch
    configuration's name. None where the group does not say."""
    zone: str | None = None
    launched_at: datetime | None = None
    raw_lifecycle: str = ""
    """AWS's own word, for people."""

    @property
    def member(self) -> bool:
        """Whether the group lists it."""
        return self.lifecycle is not Lifecycle.ABSENT

    @property
    def serving(self) -> bool:
        """Whether it is in service, or on its way there: the group counts it."""
        return self.lifecycle is Lifecycle.IN_SERVICE or self.lifecycle is Lifecycle.PENDING

    @property
    def unlisted(self) -> bool:
        """Whether neither the group nor EC2 lists it."""
        return self.lifecycle is Lifecycle.ABSENT and self.power is Power.UNKNOWN

    @property
    def leaving(self) -> bool:
        """Whether it is proved to be on its way out, or out."""
        return self.lifecycle is Lifecycle.LEAVING or self.power in {Power.ENDING, Power.TERMINATED}

    @property
    def serviceable(self) -> bool:
        """Whether all that AWS can tell speaks for handing it out."""
        return (
            self.lifecycle is Lifecycle.IN_SERVICE
            and self.healthy
            and self.power is Power.RUNNING
            and self.address is not None
            and self.holder is None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The Auto Scaling group's own figures; None where we are not allowed to read them."""

    desired: int | None
    min_size: int | None
    max_size: int | None
    launches: bool = True
    """False while the group's process Launch is suspended."""
    arn: str | None = None
    """The group's own ARN: account, region and a unique id; None where it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something an operator should know, with a code that never changes."""

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One look at AWS."""

    group: Group
    instances: Mapping[InstanceId, SeenInstance]
    complete: bool
    """Whether every page of every list was read. An incomplete look proves no absence."""
    notices: tuple[Notice, ...] = ()
    throttled: bool = False
    """AWS throttled a part of this look."""

    @cached_property
    def staying(self) -> tuple[SeenInstance, ...]:
        """The members that are not on their way out."""
        return tuple(look for look in self.instances.values() if look.member and not look.leaving)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What we want of a pool."""

    pool: PoolName = DEFAULT_POOL
    buffer: int = 5
    """Idle instances to keep ready."""
    paused: bool = False
    """Nothing is changed at AWS, and nothing decided that would be; claims and releases go on."""
    port: int = 8080
    boot_timeout: timedelta = timedelta(seconds=300)
    absence_grace: timedelta = timedelta(seconds=10)
    """How far apart two looks must be to prove an absence: AWS's lists lag behind its changes."""
    mass_absence_grace: timedelta = timedelta(minutes=10)
    """How long half or more of all must be missing in every look before that is believed."""
    doubt: timedelta = timedelta(seconds=30)
    """How long an unanswered terminate call is given before it is repeated."""
    recovery: timedelta = timedelta(seconds=60)
    """How long an instance that stopped answering may take to answer again before it is replaced."""
    probes_failed: int = 3
    """After so many failed probes in a row an idle instance is withdrawn."""
    boots_failed: int = 3
    """After so many instances in a row that did not get ready, they are replaced one at a time."""
    longest_backoff: timedelta = timedelta(hours=1)
    """The longest time between two such replacements."""


class Limit(StrEnum):
    """Why the buffer cannot be met."""

    MAX_SIZE = "max-size"
    """The group's max size is lower than allocated + waiting + buffer."""
    CAPACITY = "capacity"
    """AWS has no more instances of this type at the moment; the group keeps trying: `launch-capacity`."""
    QUOTA = "quota"
    """An AWS quota of the account is used up, `launch-quota`; desired capacity is not raised any further."""
    CONFIGURATION = "configuration"
    """AWS cannot launch as the group is set up, `launch-configuration`, or its process Launch is suspended;
    desired capacity is not raised any further."""
    AWS_ERRORS = "aws-errors"
    """AWS could not be looked at, refused to raise desired capacity, or does not say why members are missing;
    `warnings` says how."""
    PAUSED = "paused"
    """An operator paused the pool: nothing is changed at AWS until it is resumed."""
    BOOT_FAILURES = "boot-failures"
    """Several instances in a row did not become ready; they are replaced one at a time, ever more slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """What the last passes learnt of a pool, as the registry keeps it for every process to read."""

    pool: PoolName
    group: Group = field(default_factory=lambda: Group(desired=None, min_size=None, max_size=None))
    limited_by: Limit | None = None
    notices: tuple[Notice, ...] = ()
    last_pass_at: datetime | None = None
    """When a pass last looked at AWS with success."""
    last_attempt_at: datetime | None = None
