"""How large the group should be, and what keeps it from being so."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.actions import RaiseDesired
from app.domain.model import (
    Instance,
    InstanceState,
    Known,
    Lifecycle,
    Limit,
    Observation,
    Policy,
    SeenInstance,
)
from app.domain.oddities import unwatched
from app.domain.setbacks import Setbacks
from app.domain.settled import Unsettled

_TO_BE_MENDED = frozenset({Limit.QUOTA, Limit.CONFIGURATION})
"""Reasons of failed launches that no waiting mends: to ask for more would be in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """The arithmetic of one pass: where desired capacity is, where it should be, and what keeps it."""

    allocated: int
    """Members that a project holds, or that will not be handed out: lost ones, and those on hold."""
    waiting: int
    current: int
    wanted: int
    target: int
    limited_by: Limit | None = None

    def refused(self) -> "Sizing":
        """Say the same, but ask for nothing: the look is not to be believed."""
        return replace(self, target=self.current, limited_by=Limit.AWS_ERRORS)


def desired_capacity(*, allocated: int, waiting: int, buffer: int) -> int:
    """Say how many instances the group should have: each one held, each one asked for, and the buffer."""
    return allocated + waiting + buffer


def size(rest: Unsettled, waiting: int, policy: Policy, setbacks: Setbacks, now: datetime) -> Sizing:
    """Compute desired capacity from this look alone; never lower than it is."""
    seen, known = rest.seen, rest.known
    counted = [look for look in seen.staying if look.serving]
    coming = rest.settled + len(counted)
    allocated = rest.settled + sum(_taken(look, known) for look in seen.staying)
    wanted = desired_capacity(allocated=allocated, waiting=waiting, buffer=policy.buffer)
    group = seen.group
    current = coming if group.desired is None else group.desired
    bounded = wanted if group.max_size is None else min(wanted, group.max_size)
    target = max(bounded, current, group.min_size or 0)
    limited_by = _limit(seen, known, policy, setbacks, wanted=wanted, current=current, coming=coming)
    if limited_by is None and _idle(known) < policy.buffer and _abandoned(known, policy, now):
        limited_by = Limit.BOOT_FAILURES
    if limited_by in _TO_BE_MENDED and setbacks.launch is not None:
        target = current
    if group.desired is None and target > current and not (seen.complete and _all_protected(counted)):
        # Blind to desired we might lower it, and the group would then choose a victim: perhaps one in use,
        # or one that this look missed.
        limited_by, target = Limit.AWS_ERRORS, current
    if policy.paused:
        limited_by, target = Limit.PAUSED, current
    return Sizing(
        allocated=allocated,
        waiting=waiting,
        current=current,
        wanted=wanted,
        target=target,
        limited_by=limited_by,
    )


def _limit(
    seen: Observation,
    known: Known,
    policy: Policy,
    setbacks: Setbacks,
    *,
    wanted: int,
    current: int,
    coming: int,
) -> Limit | None:
    """Say what keeps the buffer from being met: first what keeps members away that we asked for already."""
    group = seen.group
    if setbacks.launch is not None and coming < current:
        return setbacks.launch.limit
    if not group.launches and coming < max(wanted, current):
        return Limit.CONFIGURATION
    short = _idle(known) < policy.buffer
    if short and any(row.count >= policy.boots_failed for row in setbacks.boots):
        return Limit.BOOT_FAILURES
    if group.max_size is not None and max(current, group.max_size) < wanted:
        return Limit.MAX_SIZE
    if short and any(_used_by_nobody_known(one) for one in known.values()):
        return Limit.CONFIGURATION
    return None


def resize(sizing: Sizing) -> Iterator[RaiseDesired]:
    """Raise desired capacity where it is too low. It is lowered only together with a termination of ours."""
    if sizing.target > sizing.current:
        yield RaiseDesired(current=sizing.current, target=sizing.target)


def _taken(look: SeenInstance, known: Known) -> bool:
    """Whether a member takes a place in the group and will not be handed out.

    Not counted is what is used by nobody we know: a tag that all instances are launched with would let each
    launch ask for another one, up to the group's max size.
    """
    instance = known.get(look.id)
    if instance is None:
        return False
    return (
        instance.held
        or instance.state is InstanceState.TERMINATED
        or (instance.state is InstanceState.ALLOCATED and not _used_by_nobody_known(instance))
    )


def _abandoned(known: Known, policy: Policy, now: datetime) -> bool:
    """Whether instances take places that never get ready, and that we must not end."""
    return any(
        unwatched(one, None, policy) and not one.held and now - one.state_since >= policy.boot_timeout
        for one in known.values()
    )


def _used_by_nobody_known(instance: Instance) -> bool:
    return instance.state is InstanceState.ALLOCATED and instance.project is None


def _idle(known: Known) -> int:
    """Count what can be handed out."""
    return sum(instance.state is InstanceState.IDLE and not instance.held for instance in known.values())


def _all_protected(members: Iterable[SeenInstance]) -> bool:
    return all(look.protected for look in members if look.lifecycle is Lifecycle.IN_SERVICE)
