"""What the use cases need from the world, as Protocols. Every promise is written here, and tested once.

The contract tests in tests/contract/ hold each implementation, and each fake, to these docstrings.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from app.domain.model import (
    Allocation,
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    Observation,
    PoolName,
    PoolView,
    ProjectId,
    SeenInstance,
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a claim."""

    allocation: Allocation
    created: bool
    """False where the project held the instance already."""


class EventKind(StrEnum):
    """What the audit trail tells. Names never change; docs/reference/events.md is made from it."""

    INSTANCE_DISCOVERED = "instance.discovered"
    """A new member of the group was taken into the registry, as booting."""
    INSTANCE_IDLE = "instance.idle"
    """The instance passed its probe and may be handed out."""
    INSTANCE_WITHDRAWN = "instance.withdrawn"
    """An idle instance is no longer fit to be handed out; it is booting again."""
    INSTANCE_TERMINATING = "instance.terminating"
    """The instance is on its way out; the reason says by whose decision."""
    INSTANCE_TERMINATED = "instance.terminated"
    """The instance is proved to be gone."""
    ALLOCATION_UNMET = "allocation.unmet"
    """A project asked while nothing was idle; it counts as waiting for half a minute."""
    ALLOCATION_CREATED = "allocation.created"
    """A project got an instance."""
    ALLOCATION_ENDED = "allocation.ended"
    """An allocation ended by our decision, the reason says which."""
    ALLOCATION_LOST = "allocation.lost"
    """An allocation ended because its instance did, not by our decision."""
    CAPACITY_RAISED = "capacity.raised"
    """Desired capacity was written; the reason says from what to what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the audit trail: who did what to which instance and project, and why."""

    id: int
    at: datetime
    kind: EventKind
    pool: PoolName
    actor: str
    instance: InstanceId | None = None
    project: ProjectId | None = None
    reason: str | None = None


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""
        ...


class Registry(Protocol):
    """The truth about who holds what: durable, and safe between threads and processes.

    Every method is one transaction; what it answered survives a crash. Each may raise RegistryUnavailable,
    and then nothing was changed, or the change is complete.
    """

    def claim(self, pool: PoolName, project: ProjectId, *, actor: str, now: datetime) -> Claimed:
        """Give the project its instance: the one it holds, else the one that has been idle longest.

        Racing claims never share an instance, and a project never gets two. Raises PoolExhausted where
        nothing is idle; the project then counts as waiting for a short time.
        """
        ...

    def destroy(self, instance: InstanceId, *, actor: str, now: datetime) -> Instance:
        """Decide that an instance ends: it becomes terminating and its allocation ends.

        Asked again while it is terminating, changes nothing and answers the same. Raises InstanceNotFound
        where we know no such instance, or it is terminated.
        """
        ...

    def instances(self, pool: PoolName) -> Mapping[InstanceId, Instance]:
        """Return every instance of the pool that is not terminated."""
        ...

    def terminated(self, some: Collection[InstanceId]) -> Mapping[InstanceId, Instance]:
        """Return those of `some` that the registry has as terminated."""
        ...

    def waiting(self, pool: PoolName, *, now: datetime) -> int:
        """Count the projects that asked in vain a short time ago and hold nothing yet."""
        ...

    def discover(self, pool: PoolName, seen: SeenInstance, *, now: datetime) -> bool:
        """Record a new member as booting. False, and no change, where its id was ever known before."""
        ...

    def mark_idle(self, instance: InstanceId, address: str, port: int, *, now: datetime) -> bool:
        """Offer a booting instance under this address. False where it is not booting any more."""
        ...

    def withdraw(self, instance: InstanceId, *, now: datetime) -> bool:
        """Stop offering an idle instance: it is booting again. False where it is not idle any more."""
        ...

    def mark_in_service(self, instance: InstanceId, since: datetime | None) -> None:
        """Note since when AWS has the instance in service; None: it has not."""
        ...

    def mark_missing(self, instance: InstanceId, since: datetime | None) -> None:
        """Note since when complete looks miss the instance, or (None) that one found it again."""
        ...

    def end(
        self,
        instance: InstanceId,
        *,
        expect: InstanceState,
        to: InstanceState,
        reason: EndReason,
        now: datetime,
    ) -> bool:
        """Move an instance to terminating or terminated; an allocation of it ends.

        False, and no change, where its state is not `expect` any more.
        """
        ...

    def note_terminate_call(self, instance: InstanceId, at: datetime | None) -> None:
        """Note when AWS is asked to terminate a terminating instance; None: AWS is known to have refused."""
        ...

    def mark_tagged(self, instance: InstanceId, project: ProjectId) -> None:
        """Note that the allocation is written on the instance in AWS."""
        ...

    def note_capacity(self, pool: PoolName, reason: str, *, now: datetime) -> None:
        """Record in the audit trail that desired capacity was raised."""
        ...

    def record_view(self, view: PoolView) -> None:
        """Keep what a pass learnt of a pool, for every process to read."""
        ...

    def view(self, pool: PoolName) -> PoolView:
        """Return what the last passes learnt of a pool; an empty view before the first."""
        ...

    def events(self, *, limit: int) -> Iterable[Event]:
        """Return the newest events, newest first."""
        ...

    def newest_event(self) -> int:
        """Return the id of the newest event, 0 where there is none: a cheap sign that something happened."""
        ...

    def ping(self) -> None:
        """Return when the database answers; otherwise raise RegistryUnavailable."""
        ...


class TerminateOutcome(StrEnum):
    """What AWS said to a terminate call that it understood."""

    ACCEPTED = "accepted"
    ALREADY_GONE = "already-gone"
    """The group has no such member: it has left already."""
    BUSY = "busy"
    """Another activity on the instance is in progress (it may be this very termination): look again."""


class Cloud(Protocol):
    """The truth about what exists: one pool's Auto Scaling group, and EC2.

    Reads may be retried inside, changes never are. Every method may raise any CloudError, and returns within
    the timeouts of the gateway; none of them raises anything else.
    """

    def observe(self, account_for: Collection[InstanceId]) -> Observation:
        """Look at the group once: its figures and every member.

        Instances in `account_for` that are not members are looked up in EC2 by id, so that the observation
        tells `terminated` from `not listed anywhere`; `complete` says whether all of this could be read.
        Members of other groups never appear. Raises GroupMissing where there is no such group.
        """
        ...

    def raise_desired(self, target: int) -> None:
        """Write desired capacity. The caller has seen, in this same pass, that it is lower.

        Raises AboveMax where the group's max size forbids it; OutcomeUnknown where the answer was lost.
        """
        ...

    def terminate(self, instance: InstanceId) -> TerminateOutcome:
        """End a member of the group for good, and lower desired capacity by one with it.

        At the group's min size desired stays, and AWS launches a replacement. OutcomeUnknown where the answer
        was lost: the termination may have happened.
        """
        ...

    def tag_allocation(self, instance: InstanceId, project: ProjectId, allocated_at: datetime) -> None:
        """Write on the instance who holds it, and since when.

        The tags are `ec2-orchestrator:project` and `ec2-orchestrator:allocated-at` (ISO 8601, UTC).
        """
        ...


class Prober(Protocol):
    """Finds out whether instances answer."""

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` (id: address and port) that are ready. Never raises; bounded in time."""
        ...


class Turn(Protocol):
    """Lets one process at a time run passes, of all that share a registry."""

    def take(self) -> bool:
        """Say whether it is this process's turn, and take it if it is free. Cheap; call it before each pass.

        Raises RegistryUnavailable where that cannot be known.
        """
        ...

    def give_back(self) -> None:
        """Let another process have it. The end of a process gives it back, too, however it ends."""
        ...


class Waker(Protocol):
    """Lets a claim or a release start a pass at once."""

    def wake(self) -> None:
        """Ask for a pass within a second. Returns at once; many calls make one pass."""
        ...
