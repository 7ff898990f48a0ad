"""What one pass must do: pure functions from what was seen and what is known to a list of actions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from app.domain.model import (
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    Lifecycle,
    Limit,
    Notice,
    Observation,
    Policy,
    Power,
    ProjectId,
    SeenInstance,
)

Known = Mapping[InstanceId, Instance]
"""What the registry has: the living, and of the terminated those that AWS still lists as members."""

TAGS_IN_A_PASS = 10

_LIVING = frozenset({InstanceState.BOOTING, InstanceState.IDLE, InstanceState.ALLOCATED})


@dataclass(frozen=True, slots=True)
class Discover:
    """Take a new member into the registry, as booting."""

    seen: SeenInstance


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


Record = Discover | MarkIdle | Withdraw | MarkInService | MarkMissing | MarkTerminating | MarkTerminated
"""Steps that change what the registry knows."""
Change = Terminate | TagAllocation | RaiseDesired
"""Steps that change something at AWS."""
Action = Record | Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """The arithmetic of one pass: where desired capacity is, where it should be, and what keeps it."""

    current: int
    wanted: int
    target: int
    limited_by: Limit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything one pass must do, in order, and what it should tell."""

    actions: tuple[Action, ...]
    sizing: Sizing
    notices: tuple[Notice, ...] = ()


def plan(seen: Observation, known: Known, waiting: int, policy: Policy, now: datetime) -> Plan:
    """Decide what one pass must do. Same arguments, same plan; a world that stands still soon needs none."""
    sizing = size(seen, known, waiting, policy)
    return Plan(
        actions=(
            *track(seen, known, policy, now),
            *resize(sizing),  # before the calls that are many: a top-up must not wait for them
            *finish_terminations(seen, known, policy, now),
            *tag_allocations(seen, known),
        ),
        sizing=sizing,
        notices=(*seen.notices, *oddities(seen, known), *unprovable(seen, known)),
    )


def boots(seen: Observation, known: Known) -> tuple[SeenInstance, ...]:
    """List the booting instances that AWS has in service: to be probed, and to be ready in time."""
    return tuple(
        look
        for look in seen.instances.values()
        if look.lifecycle is Lifecycle.IN_SERVICE
        and look.id in known
        and known[look.id].state is InstanceState.BOOTING
    )


def conclude_boots(
    booting: Iterable[SeenInstance],
    known: Known,
    ready: frozenset[InstanceId],
    policy: Policy,
    now: datetime,
) -> Iterator[MarkIdle | MarkTerminating]:
    """Offer what passed its probe just now (`ready`), and replace what takes longer than it may."""
    for look in booting:
        instance = known.get(look.id)
        if instance is None or instance.state is not InstanceState.BOOTING:
            continue
        if look.serviceable and look.address is not None and look.id in ready:
            yield MarkIdle(look.id, address=look.address, port=look.port or policy.port)
        elif _overdue(instance, look, policy, now):
            yield MarkTerminating(look.id, expect=instance.state, reason=EndReason.BOOT_TIMEOUT)


def desired_capacity(*, allocated: int, waiting: int, buffer: int) -> int:
    """Say how many instances the group should have: each one held, each one asked for, and the buffer."""
    return allocated + waiting + buffer


def track(seen: Observation, known: Known, policy: Policy, now: datetime) -> Iterator[Action]:
    """Bring the registry up to what AWS shows, one instance at a time."""
    for look in seen.instances.values():
        if look.id not in known and look.member and not look.leaving:
            yield Discover(look)
    doubtful = _mass_absence(seen, known)
    for instance in known.values():
        if instance.state is InstanceState.TERMINATED:
            continue  # what comes back is reported, see oddities
        found = seen.instances.get(instance.id)
        if found is None or found.unlisted:
            if seen.complete and instance.id not in doubtful:
                yield from _absent(instance, policy, now)
        else:
            if instance.missing_since is not None:
                yield MarkMissing(instance.id, since=None)
            yield from _follow(instance, found, now, complete=seen.complete)


def finish_terminations(
    seen: Observation, known: Known, policy: Policy, now: datetime
) -> Iterator[Terminate]:
    """Repeat our decision to AWS until AWS is seen to agree; an unanswered call is given time first."""
    for instance in known.values():
        look = seen.instances.get(instance.id)
        if instance.state is not InstanceState.TERMINATING or look is None:
            continue
        if instance.end_reason is None or not instance.end_reason.ours or look.leaving or not look.member:
            continue
        called = instance.terminate_called_at
        if called is None or now - called >= policy.doubt:
            yield Terminate(instance.id)


def tag_allocations(seen: Observation, known: Known) -> Iterator[TagAllocation]:
    """Write each allocation on its instance once; a few in a pass, for each is a call."""
    return islice(_untagged(seen, known), TAGS_IN_A_PASS)


def _untagged(seen: Observation, known: Known) -> Iterator[TagAllocation]:
    for instance in known.values():
        look = seen.instances.get(instance.id)
        if (
            instance.state is InstanceState.ALLOCATED
            and not instance.tagged
            and instance.project is not None
            and instance.allocated_at is not None
            and look is not None
            and look.member
        ):
            yield TagAllocation(instance.id, instance.project, instance.allocated_at)


def size(seen: Observation, known: Known, waiting: int, policy: Policy) -> Sizing:
    """Compute desired capacity from this look alone; never lower than it is."""
    members = [look for look in seen.instances.values() if look.member and not look.leaving]
    allocated = sum(look.id in known and known[look.id].state is InstanceState.ALLOCATED for look in members)
    wanted = desired_capacity(allocated=allocated, waiting=waiting, buffer=policy.buffer) + sum(
        look.id in known and known[look.id].state is InstanceState.TERMINATED for look in members
    )  # such a one takes a place in the group and will never be handed out
    group = seen.group
    counted = [look for look in members if look.lifecycle in {Lifecycle.PENDING, Lifecycle.IN_SERVICE}]
    current = len(counted) if group.desired is None else group.desired
    bounded = wanted if group.max_size is None else min(wanted, group.max_size)
    target = max(bounded, current, group.min_size or 0)
    if bounded < wanted and current < wanted:
        return Sizing(current=current, wanted=wanted, target=target, limited_by=Limit.MAX_SIZE)
    if group.desired is None and target > current and not (seen.complete and _all_protected(counted)):
        # Blind to desired we might lower it, and the group would then choose a victim: perhaps one in use,
        # or one that this look missed.
        return Sizing(current=current, wanted=wanted, target=current, limited_by=Limit.AWS_ERRORS)
    return Sizing(current=current, wanted=wanted, target=target)


def resize(sizing: Sizing) -> Iterator[RaiseDesired]:
    """Raise desired capacity where it is too low. It is lowered only together with a termination of ours."""
    if sizing.target > sizing.current:
        yield RaiseDesired(current=sizing.current, target=sizing.target)


def oddities(seen: Observation, known: Known) -> Iterator[Notice]:
    """Report what we make nothing of and therefore leave alone."""
    for look in seen.instances.values():
        if look.lifecycle is Lifecycle.OTHER:
            yield Notice(
                code="unknown-lifecycle",
                detail=f"{look.id} is in {look.raw_lifecycle}: it is left alone and not handed out.",
            )
        elif look.id in known and known[look.id].state is InstanceState.TERMINATED:
            yield Notice(
                code="back-from-the-dead",
                detail=f"{look.id} is a member of the group, but was taken for gone "
                f"({known[look.id].end_reason}). It is not handed out and not ended by us: end it by hand.",
            )
        elif look.id in known and not look.member and look.power in {Power.RUNNING, Power.STOPPED}:
            yield Notice(
                code="detached",
                detail=f"{look.id} is no longer a member of the group but still exists: we do not end it.",
            )


def unprovable(seen: Observation, known: Known) -> Iterator[Notice]:
    """Report a look that was refused because it would have lost many allocations at once."""
    doubtful = _mass_absence(seen, known)
    if seen.complete and doubtful:
        yield Notice(
            code="absurd-look",
            detail=f"AWS lists none of {len(doubtful)} instances that we know. Nothing was given up: are "
            f"group, region and account right? If they are really gone, destroy them ({_some(doubtful)}).",
        )


def _follow(instance: Instance, look: SeenInstance, now: datetime, *, complete: bool) -> Iterator[Action]:
    """Decide on a known instance that AWS lists."""
    state = instance.state
    if look.power is Power.TERMINATED:
        yield MarkTerminated(instance.id, expect=state, reason=instance.end_reason or EndReason.LEFT)
    elif state is InstanceState.TERMINATING:
        return  # finish_terminations sees to it
    elif look.leaving:
        yield MarkTerminating(instance.id, expect=state, reason=EndReason.LEFT)
    elif state is InstanceState.BOOTING:
        in_service = look.lifecycle is Lifecycle.IN_SERVICE
        if in_service != (instance.in_service_since is not None):
            yield MarkInService(instance.id, since=now if in_service else None)
    elif state is InstanceState.IDLE and complete and not _still_fit(instance, look):
        yield Withdraw(instance.id)


def _overdue(instance: Instance, look: SeenInstance, policy: Policy, now: datetime) -> bool:
    """Whether a booting instance has had its time, and more of it may not help.

    The time runs while AWS has it in service: before that, a launch hook may rightly take an hour. Where EC2
    could not be asked, or the instance runs without an address to probe, a new one would fare no better.
    """
    if instance.in_service_since is None or look.power is Power.UNKNOWN:
        return False
    if look.power is Power.RUNNING and look.address is None:
        return False
    return now - max(instance.state_since, instance.in_service_since) >= policy.boot_timeout


def _absent(instance: Instance, policy: Policy, now: datetime) -> Iterator[Action]:
    """One look is not a death certificate: the first notes it, a second one some time later proves it."""
    if instance.missing_since is None:
        yield MarkMissing(instance.id, since=now)
    elif now - instance.missing_since >= policy.absence_grace:
        yield MarkTerminated(
            instance.id, expect=instance.state, reason=instance.end_reason or EndReason.VANISHED
        )


def _mass_absence(seen: Observation, known: Known) -> frozenset[InstanceId]:
    """Name the instances that this look would end for mere absence, if that is too many to believe.

    More than one, and half or more of all: so much does not vanish at once without a trace in EC2, which
    lists the terminated for about an hour. A look into a wrong region or account would show just that.
    """
    ours = [instance for instance in known.values() if instance.state in _LIVING]
    doomed = frozenset(
        instance.id for instance in ours if (look := seen.instances.get(instance.id)) is None or look.unlisted
    )
    return doomed if len(doomed) > 1 and 2 * len(doomed) >= len(ours) else frozenset()


def _some(instances: frozenset[InstanceId]) -> str:
    few = sorted(instances)[:5]
    return ", ".join(few) + (" ..." if len(few) < len(instances) else "")


def _still_fit(instance: Instance, look: SeenInstance) -> bool:
    return look.serviceable and look.address == instance.address


def _all_protected(members: list[SeenInstance]) -> bool:
    return all(look.protected for look in members if look.lifecycle is Lifecycle.IN_SERVICE)
