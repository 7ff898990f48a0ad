"""What the use cases need from the world, as Protocols. Every promise is written here, and tested once.

The contract tests in tests/contract/ hold each implementation, and each fake, to these docstrings.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from app.domain.errors import PoolExhausted
from app.domain.events import Event, EventKind
from app.domain.finding import Finding
from app.domain.model import (
    NOT_TERMINATED,
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
from app.domain.setbacks import BootFailures, LaunchFailure


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a claim."""

    allocation: Allocation
    created: bool
    """False where the project held the instance already."""


class Unproved(PoolExhausted):
    """Idle instances there are, but none that answered a probe lately: `candidates` should be asked now.

    That is their address and port: of the longest idle first, and last of those that did not answer before.
    """

    def __init__(self, candidates: Mapping[InstanceId, tuple[str, int]], *, retry_after: timedelta) -> None:
        super().__init__("", retry_after=retry_after)
        self.candidates = candidates


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

    def claim(
        self,
        pool: PoolName,
        project: ProjectId,
        *,
        actor: str,
        now: datetime,
        ready_since: datetime | None = None,
        last_try: bool = True,
    ) -> Claimed:
        """Give the project its instance: the one it holds, else the one that has been idle longest.

        Only an instance whose last probe passed at `ready_since` or later is given (None: any idle one).
        Racing claims never share an instance, and a project never gets two. Raises PoolExhausted where
        nothing can be given; the project then counts as waiting for a short time. Unless this is the
        `last_try`, Unproved is raised where there are idle instances but none such, and nothing has changed.
        """
        ...

    def destroy(self, instance: InstanceId, *, actor: str, now: datetime) -> Instance:
        """Decide that an instance ends: it becomes terminating and its allocation ends.

        Asked again while it is terminating, changes nothing and answers the same. Raises InstanceNotFound
        where we know no such instance, or it is terminated.
        """
        ...

    def instances(
        self, pool: PoolName, states: Collection[InstanceState] = NOT_TERMINATED
    ) -> Mapping[InstanceId, Instance]:
        """Return the pool's instances in these states; without any named, all that are not terminated."""
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

    def withdraw(self, instance: InstanceId, *, reason: str, now: datetime) -> bool:
        """Stop offering an idle instance: it is booting again. False where it is not idle any more."""
        ...

    def adopt(
        self,
        pool: PoolName,
        seen: SeenInstance,
        project: ProjectId | None,
        *,
        port: int,
        since: datetime,
        now: datetime,
    ) -> bool:
        """Take an instance for allocated, because its tags say so: a new one, a booting or an idle one.

        With `project`, that project holds it from now on; with None nobody can say who does, until it is
        adopted again with a project. False, and no change, where the instance is held, terminating or
        terminated by now, where the project holds another one, or where the look shows no address.
        """
        ...

    def note_probes(
        self, ready: Collection[InstanceId], silent: Collection[InstanceId], *, now: datetime
    ) -> None:
        """Note when idle instances were found ready (`now`), and which did not answer."""
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

        One that we end because it is not ready, or that leaves from service without having been ready, counts
        as a boot failure. False, and no change, where its state is not `expect` any more.
        """
        ...

    def boot_failures(self, pool: PoolName) -> Sequence[BootFailures]:
        """Return, for each launch template version, how many instances in a row did not become ready.

        One that becomes ready for the first time ends the row of its version.
        """
        ...

    def note_terminate_call(self, instance: InstanceId, at: datetime) -> None:
        """Note when AWS is asked to terminate a terminating instance."""
        ...

    def forget_terminate_call(self, instance: InstanceId, at: datetime) -> None:
        """Take the note of that moment back: the call is known to have had no effect. Later notes stay."""
        ...

    def mark_tagged(self, instance: InstanceId, project: ProjectId) -> None:
        """Note that the allocation is written on the instance in AWS."""
        ...

    def record(
        self,
        kind: EventKind,
        pool: PoolName,
        *,
        reason: str,
        now: datetime,
        instance: InstanceId | None = None,
    ) -> None:
        """Write a line into the audit trail that comes with no change of ours."""
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
        Strays, which EC2 has as the group's own and the group does not list, appear too: not as members, and
        no longer once they are terminated. Members of other groups never appear. Raises GroupMissing where
        there is no such group.
        """
        ...

    def raise_desired(self, target: int) -> bool:
        """Write desired capacity, unless it is as high by now: another look, right before the write, says so.

        The caller has seen, in this same pass, that it is lower. False, and no change, where it is `target`
        or more by now. Where desired cannot be read, it is written in any case. Raises AboveMax where the
        group's max size forbids it; OutcomeUnknown where the answer to the write was lost.
        """
        ...

    def terminate(self, instance: InstanceId) -> TerminateOutcome:
        """End a member of the group for good, and lower desired capacity by one with it.

        At the group's min size desired stays, and AWS launches a replacement. OutcomeUnknown where the answer
        was lost: the termination may have happened.
        """
        ...

    def protect(self, instances: Collection[InstanceId]) -> None:
        """Protect members from scale-in, all of them or none; at most 50 in a call.

        For members that are in service: AWS refuses the others, and with them the whole call.
        """
        ...

    def launch_failures(self, since: datetime) -> Sequence[LaunchFailure]:
        """Return what the group failed to launch since then, the newest first."""
        ...

    def tag_allocation(self, instance: InstanceId, project: ProjectId, allocated_at: datetime) -> None:
        """Write on the instance who holds it, and since when, unless somebody else is named there by now.

        The tags are `ec2-orchestrator:project` and `ec2-orchestrator:allocated-at` (ISO 8601, UTC). They are
        read right before they are written: AlreadyTagged, and no change, where they name another project.
        An empty name is nobody's.
        """
        ...


class Preflight(Protocol):
    """Examines how AWS is set up for us: credentials, group, permissions, clock."""

    def examine(self, buffer: int) -> Sequence[Finding]:
        """Tell of each thing that must be right whether it is. Changes nothing.

        Raises nothing but NotLeading and RegistryUnavailable, where this replica may not even try.
        """
        ...


class Prober(Protocol):
    """Finds out whether instances answer."""

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` (id: address and port) that are ready. Never raises; bounded in time.

        Asking does not count as a use of the instance.
        """
        ...

    def opens(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` whose front page opens. Never raises; bounded in time.

        Asking counts as a use: for instances that nobody can hold yet.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """Leadership in one term: each term has one holder, and a number that no other term ever has."""

    holder: str
    """The replica that leads in this term; see Leadership."""
    term: int
    since: datetime
    """When the term began, by the database's clock."""


class Leases(Protocol):
    """Whose term it is: one row that all replicas of a registry share, judged by the database's clock.

    Each method may raise RegistryUnavailable, and then it may or may not have had its effect.
    """

    def take(self, holder: str, ttl: timedelta) -> Lease | None:
        """Begin a term of `ttl`, unless another holder's term is running: None then. Cheap where it is."""
        ...

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        """Let the term last `ttl` from now. False where another has begun since: this one is over for good.

        A term that ran out, and that nobody's followed, goes on.
        """
        ...

    def holds(self, lease: Lease) -> bool:
        """Say whether the term is still running."""
        ...

    def resign(self, lease: Lease) -> None:
        """End the term now, if it is still running: the next may begin at once."""
        ...

    def leader(self) -> Lease | None:
        """Return the running term; None while nobody leads."""
        ...


class Mandate(Protocol):
    """The right to lead in one term, as the passes of that term see it."""

    @property
    def trusted(self) -> bool:
        """Whether nobody else can lead yet. Costs nothing: to be asked before each step."""
        ...

    def confirm(self) -> None:
        """Return where a change to AWS may begin now: nobody else can lead before it has ended.

        Raises NotLeading otherwise, and RegistryUnavailable where the database cannot be asked.
        """
        ...


class Bell(Protocol):
    """Carries word from any replica to the one that leads: there is something to do."""

    def ring(self) -> None:
        """Send word. Returns at once and never raises; many calls make one."""
        ...

    def rang(self) -> bool:
        """Say whether word came, or the registry shows news, since this was last asked. Cheap.

        Raises RegistryUnavailable.
        """
        ...


class Waker(Protocol):
    """Lets a claim or a release start a pass at once."""

    def wake(self) -> None:
        """Ask for a pass within a second. Returns at once; many calls make one pass."""
        ...
