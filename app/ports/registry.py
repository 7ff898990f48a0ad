"""The truth about who holds what."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from app.domain.errors import PoolExhausted
from app.domain.events import Event, EventKind
from app.domain.model import (
    NOT_TERMINATED,
    Allocation,
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    PoolName,
    PoolView,
    ProjectId,
    SeenInstance,
)
from app.domain.setbacks import BootFailures
from app.domain.sight import Sight
from app.domain.terms import UNLIMITED, Terms, TermsPolicy
from app.ports.line import RequestId
from app.ports.meter import AllocationOutcome


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a claim."""

    allocation: Allocation
    created: bool
    """False where the project held the instance already."""
    waited: bool = False
    """Whether it was waited for, in line."""

    @property
    def outcome(self) -> AllocationOutcome:
        """How the request ended that got this answer."""
        if not self.created:
            return AllocationOutcome.REPEATED
        return AllocationOutcome.WAITED if self.waited else AllocationOutcome.WARM


class Unproved(PoolExhausted):
    """Idle instances there are, but none that answered a probe lately: `candidates` should be asked now.

    That is their address and port: of the longest idle first, and last of those that did not answer before.
    """

    def __init__(self, candidates: Mapping[InstanceId, tuple[str, int]], *, retry_after: timedelta) -> None:
        super().__init__("", retry_after=retry_after)
        self.candidates = candidates


class HungUp(PoolExhausted):
    """Nobody waits for the answer any more."""


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
        terms: Terms = UNLIMITED,
        request: RequestId | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Claimed:
        """Give the project its instance: the one it holds, else the one that has been idle longest.

        One that it holds already is returned as it is, whatever its pool and the `terms` are, by which a new
        one is made. One whose time is over (see Lifetimes) ends first: the project begins anew. One that
        should have been confirmed does not end by this.

        Only an instance whose last probe passed at `ready_since` or later is given (None: any idle one).
        Racing claims never share an instance, and a project never gets two. Nobody overtakes who waits in the
        pool's line (see Line): a new one is made only where more instances could be given than projects stand
        before this one, which are those before its place, and all in line where it has none. Its place ends
        with a claim that succeeds, in whichever line it is; `request` says who claims, where it is one that
        stands in line, so that it can still be abandoned.

        Raises HungUp, and nothing has changed, where a new one could be made and is not `wanted` any more:
        that is asked last, before it counts.
        Raises PoolExhausted where nothing can be given; the project then counts as waiting for a short time.
        Unless this is the `last_try`, Unproved is raised where there are idle instances that are not ready,
        and none can be given without them; then nothing has changed.
        """
        ...

    def destroy(
        self, instance: InstanceId, *, expect: Sight | None = None, actor: str, now: datetime
    ) -> Instance:
        """Decide that an instance ends: it becomes terminating and its allocation ends.

        Asked again while it is terminating, changes nothing and answers the same. Raises InstanceNotFound
        where we know no such instance, or it is terminated. With `expect`, raises VersionChanged, and does
        nothing, where the instance is not as it was shown.
        """
        ...

    def release(
        self, project: ProjectId, *, expect: Sight | None = None, actor: str, now: datetime
    ) -> Allocation:
        """End the project's allocation and, as in `destroy`, its instance; returns it as terminating.

        Raises AllocationNotFound where the project holds nothing. With `expect`, raises VersionChanged, and
        does nothing, where the project holds another instance than was shown, or holds it otherwise.
        """
        ...

    def renew(
        self,
        project: ProjectId,
        ttl: timedelta | None,
        *,
        policies: Mapping[PoolName, TermsPolicy],
        only: InstanceId | None = None,
        expect: Sight | None = None,
        actor: str,
        now: datetime,
    ) -> Allocation:
        """Have the project's allocation last `ttl` from this moment; None takes its time limit away.

        It is confirmed by that, and its end is announced anew. Raises AllocationNotFound where the project
        holds nothing (any more), or another instance than the `only` one that is meant, and TtlTooLong where
        the policy of its pool does not allow that. With `expect`, raises VersionChanged, and does nothing,
        where what it holds is not as was shown.
        """
        ...

    def confirm(
        self, project: ProjectId, *, only: InstanceId | None = None, actor: str, now: datetime
    ) -> Allocation:
        """Note that who got the instance says so: the allocation does not end for want of that any more.

        Changes nothing where it need not be confirmed (any more). Raises AllocationNotFound where the project
        holds nothing (any more), or another instance than the `only` one that is meant.
        """
        ...

    def hold(
        self,
        instance: InstanceId,
        *,
        ttl: timedelta | None = None,
        reason: str | None = None,
        actor: str,
        now: datetime,
    ) -> Instance:
        """Hold an instance for inspection: nothing claims, ends, replaces or terminates it but who asks to.

        For `ttl` from this moment; None: until somebody ends the hold. Held already, it is held on as asked
        now. Released or destroyed, it becomes terminating, but is not terminated before the hold ends. Raises
        InstanceNotFound, and HoldTooLate where AWS was asked to terminate it already, or it ends by no
        decision of ours.
        """
        ...

    def unhold(
        self, instance: InstanceId, *, expect: Sight | None = None, actor: str, now: datetime
    ) -> Instance:
        """End a hold; changes nothing where there is none. Raises InstanceNotFound.

        With `expect`, raises VersionChanged, and does nothing, where the instance is not as it was shown.
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

    def these(self, some: Collection[InstanceId]) -> Mapping[InstanceId, Instance]:
        """Return those of `some` that the registry has, in whatever state and pool."""
        ...

    def waiting(self, pool: PoolName, *, now: datetime) -> int:
        """Count the projects that asked in vain a short time ago and hold nothing yet."""
        ...

    def discover(self, pool: PoolName, seen: SeenInstance, *, now: datetime) -> bool:
        """Record a new member as booting. False, and no change, where its id was ever known before."""
        ...

    def mark_idle(self, instance: InstanceId, address: str, port: int, *, now: datetime) -> bool:
        """Offer a booting instance under this address. False where it is not booting any more, or is held."""
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
        as a boot failure. False, and no change, where its state is not `expect` any more, or where we would
        end one that is held, or whose pool is paused by now. A hold ends with its instance, and once that is
        ending by no decision of ours.
        """
        ...

    def boot_failures(self, pool: PoolName) -> Sequence[BootFailures]:
        """Return, for each launch template version, how many instances in a row did not become ready.

        One that becomes ready for the first time ends the row of its version.
        """
        ...

    def note_terminate_call(self, instance: InstanceId, at: datetime) -> bool:
        """Note that AWS is about to be asked to terminate a terminating instance: it can no longer be held.

        False where it is held, or not terminating: AWS must not be asked then.
        """
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
