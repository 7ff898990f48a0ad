"""AWS's answers as our values: pure functions that take any answer and raise on none.

Rests on the shapes AutoScalingGroup, Instance and AutoScalingInstanceDetails of the Auto Scaling API
reference, and Instance of the EC2 API reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern
from typing import Any, Literal

from app.domain.model import Group, InstanceId, Lifecycle, Power, SeenInstance

AddressKind = Literal["public", "private"]
"""Which of an instance's IP addresses is handed out."""

Answer = Mapping[str, Any]

PORT_TAG = "ec2-orchestrator:port"
PROJECT_TAG = "ec2-orchestrator:project"
ALLOCATED_AT_TAG = "ec2-orchestrator:allocated-at"

_LIFECYCLES = {
    "InService": Lifecycle.IN_SERVICE,
    "Terminating": Lifecycle.LEAVING,
    "Terminated": Lifecycle.LEAVING,
    "Pending": Lifecycle.PENDING,
    "Detached": Lifecycle.ABSENT,
}
"""By the part before the colon. Detaching does not end an instance, and Warmed is not in use: OTHER."""

_POWERS = {
    "pending": Power.PENDING,
    "running": Power.RUNNING,
    "stopping": Power.STOPPED,
    "stopped": Power.STOPPED,
    "shutting-down": Power.ENDING,
    "terminated": Power.TERMINATED,
}

_ADDRESS_KEYS: dict[AddressKind, str] = {"public": "PublicIpAddress", "private": "PrivateIpAddress"}

_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An instance as the group lists it."""

    id: InstanceId
    lifecycle: Lifecycle
    raw_lifecycle: str
    healthy: bool
    protected: bool
    zone: str | None
    template: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """An instance as EC2 describes it."""

    power: Power
    address: str | None = None
    port: int | None = None
    holder: str | None = None
    held_since: datetime | None = None
    zone: str | None = None
    launched_at: datetime | None = None


def lifecycle(word: str) -> Lifecycle:
    """Reduce AWS's LifecycleState to what we decide by; a word we do not know is OTHER."""
    return _LIFECYCLES.get(word.partition(":")[0], Lifecycle.OTHER)


def power(word: str) -> Power:
    """Reduce EC2's instance state name to what we decide by; a word we do not know is UNKNOWN."""
    return _POWERS.get(word, Power.UNKNOWN)


def group(answer: Answer) -> Group:
    """Read a group's figures, whether it launches at all, and which group it is."""
    return Group(
        desired=answer.get("DesiredCapacity"),
        min_size=answer.get("MinSize"),
        max_size=answer.get("MaxSize"),
        launches="Launch" not in suspended(answer),
        arn=answer.get("AutoScalingGroupARN") or None,
    )


def suspended(answer: Answer) -> frozenset[str]:
    """Name a group's suspended processes."""
    return frozenset(str(process.get("ProcessName")) for process in answer.get("SuspendedProcesses", []))


def protects_new(answer: Answer) -> bool:
    """Tell whether a group protects new instances from scale-in by itself."""
    return bool(answer.get("NewInstancesProtectedFromScaleIn", False))


def has_warm_pool(answer: Answer) -> bool:
    """Tell whether a group keeps a warm pool, whose instances its own list leaves out."""
    return bool(answer.get("WarmPoolConfiguration"))


def member(answer: Answer) -> Member:
    """Read an entry of a group's list of instances, or of the account's: the fields are alike."""
    word = answer.get("LifecycleState", "")
    return Member(
        id=InstanceId(answer["InstanceId"]),
        lifecycle=lifecycle(word),
        raw_lifecycle=intern(word),
        # One list writes "Healthy", the other "HEALTHY".
        healthy=str(answer.get("HealthStatus", "")).lower() == "healthy",
        protected=bool(answer.get("ProtectedFromScaleIn", False)),
        zone=_shared(answer.get("AvailabilityZone")),
        template=_shared(_template(answer)),
    )


def detail(answer: Answer, address: AddressKind) -> Detail:
    """Read what EC2 tells of an instance."""
    launched = answer.get("LaunchTime")
    tags = {tag.get("Key"): str(tag.get("Value", "")) for tag in answer.get("Tags", [])}
    return Detail(
        power=power(answer.get("State", {}).get("Name", "")),
        address=answer.get(_ADDRESS_KEYS[address]) or None,
        port=_port(tags.get(PORT_TAG, "")),
        holder=_name(tags.get(PROJECT_TAG, "")),
        held_since=_moment(tags.get(ALLOCATED_AT_TAG, "")),
        zone=_shared(answer.get("Placement", {}).get("AvailabilityZone")),
        launched_at=launched.astimezone(UTC) if isinstance(launched, datetime) else None,
    )


def seen_member(listed: Member, told: Detail | None) -> SeenInstance:
    """Join what the group and EC2 say of a member; None where EC2 was not asked, or does not list it."""
    told = told or Detail(power=Power.UNKNOWN)
    return SeenInstance(
        id=listed.id,
        lifecycle=listed.lifecycle,
        raw_lifecycle=listed.raw_lifecycle,
        healthy=listed.healthy,
        protected=listed.protected,
        power=told.power,
        address=told.address,
        port=told.port,
        holder=told.holder,
        held_since=told.held_since,
        template=listed.template,
        zone=listed.zone or told.zone,
        launched_at=told.launched_at,
    )


def seen_outside(identity: InstanceId, told: Detail) -> SeenInstance:
    """Tell of an instance that the group does not list and EC2 does."""
    return SeenInstance(
        id=identity,
        lifecycle=Lifecycle.ABSENT,
        power=told.power,
        address=told.address,
        port=told.port,
        holder=told.holder,
        held_since=told.held_since,
        zone=told.zone,
        launched_at=told.launched_at,
    )


def _shared(text: str | None) -> str | None:
    """Return the one copy of a text that thousands of instances have in common."""
    return None if text is None else intern(text)


def _template(answer: Answer) -> str | None:
    """Name what a member was launched from. Of a launch template AWS shows the version by its number."""
    template = answer.get("LaunchTemplate") or {}
    identity, version = template.get("LaunchTemplateId"), template.get("Version")
    if identity:
        return f"{identity}:{version}" if version else str(identity)
    return answer.get("LaunchConfigurationName") or None


def _name(text: str) -> str | None:
    """Return a name as it is written; None where nothing is, as in a tag that a launch template brings."""
    return text if text.strip() else None


def _port(text: str) -> int | None:
    """Read a port; None where the text is none."""
    return int(text) if text.isascii() and text.isdigit() and int(text) in _PORTS else None


def _moment(text: str) -> datetime | None:
    """Read a time in ISO 8601, in UTC; None where the text is none, or leaves its time zone open."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
