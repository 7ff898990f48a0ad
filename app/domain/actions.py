"""The steps a plan is made of: each names what it was planned against."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.model import EndReason, InstanceId, InstanceState, ProjectId, SeenInstance


@dataclass(frozen=True, slots=True)
class Discover:
    """Take a new member into the registry, as booting."""

    seen: SeenInstance


@dataclass(frozen=True, slots=True)
class Adopt:
    """The instance is in use by its tags, and the registry does not know: take it for allocated.

    Without a project nobody can say who uses it: the tag names none, or one that holds another instance.
    """

    seen: SeenInstance
    project: ProjectId | None
    since: datetime


@dataclass(frozen=True, slots=True)
class MarkIdle:
    """A booting instance is ready: offer it."""

    instance: InstanceId
    address: str
    port: int
    expect: InstanceState = InstanceState.BOOTING


@dataclass(frozen=True, slots=True)
class Withdraw:
    """An idle instance is no longer fit to be handed out: stop offering it, end nothing."""

    instance: InstanceId
    reason: str
    expect: InstanceState = InstanceState.IDLE


@dataclass(frozen=True, slots=True)
class MarkInService:
    """AWS has put a booting instance in service (`since`), or has taken it out again (None)."""

    instance: InstanceId
    since: datetime | None


@dataclass(frozen=True, slots=True)
class MarkMissing:
    """A complete look missed the instance (`since`), or found it again (None)."""

    instance: InstanceId
    since: datetime | None


@dataclass(frozen=True, slots=True)
class MarkTerminating:
    """The instance is on its way out. For a reason of ours, AWS is asked from the next pass on."""

    instance: InstanceId
    expect: InstanceState
    reason: EndReason


@dataclass(frozen=True, slots=True)
class MarkTerminated:
    """The instance is proved to be gone."""

    instance: InstanceId
    expect: InstanceState
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask AWS to terminate an instance that we decided to end, and to lower desired with it."""

    instance: InstanceId


@dataclass(frozen=True, slots=True)
class Protect:
    """Protect members from scale-in: nothing is handed out that somebody's lower desired capacity can end."""

    instances: tuple[InstanceId, ...]


@dataclass(frozen=True, slots=True)
class TagAllocation:
    """Write on the instance who holds it."""

    instance: InstanceId
    project: ProjectId
    allocated_at: datetime


@dataclass(frozen=True, slots=True)
class RaiseDesired:
    """Write a higher desired capacity to the group."""

    current: int
    target: int


Record = Discover | Adopt | Withdraw | MarkInService | MarkMissing | MarkTerminating | MarkTerminated
"""Steps that change what the registry knows."""
Change = Terminate | Protect | TagAllocation | RaiseDesired
"""Steps that change something at AWS."""
Action = Record | Change
