"""What one pass must do: pure functions from what was seen and what is known to a list of actions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.actions import (
    Action,
    Change,
    Discover,
    MarkInService,
    MarkMissing,
    MarkTerminated,
    MarkTerminating,
    Protect,
    TagAllocation,
    Terminate,
    Withdraw,
)
from app.domain.adoption import adoptions, disputes
from app.domain.model import (
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    Known,
    Lifecycle,
    Notice,
    Observation,
    Policy,
    Power,
    SeenInstance,
)
from app.domain.oddities import absurdity, mass_absence, oddities, setback_notices
from app.domain.setbacks import Setbacks
from app.domain.settled import Unsettled
from app.domain.sizing import Sizing, resize, size

PROTECTED_AT_ONCE = 50
"""How many ids SetInstanceProtection takes, by the Auto Scaling API reference."""

NO_SETBACKS = Setbacks()

_ENDING = frozenset({InstanceState.TERMINATING, InstanceState.TERMINATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything one pass must do, in order, and what it should tell."""

    actions: tuple[Action, ...]
    sizing: Sizing
    notices: tuple[Notice, ...] = ()
    refused: bool = False
    """The look is not to be believed: nothing of it may be kept."""


def plan(
    rest: Unsettled,
    waiting: int,
    policy: Policy,
    now: datetime,
    *,
    setbacks: Setbacks = NO_SETBACKS,
    assured: bool = False,
) -> Plan:
    """Decide what one pass must do. Same arguments, same plan; a world that stands still soon needs none.

    `rest` has the living, and of the terminated those that AWS still lists as members. `assured` says that
    this is surely the group we know. Where it is not, a look that misses half of all is refused as a whole:
    nothing that it shows is taken in, and nothing is written. Of a paused pool the registry is kept up to
    date, and nothing is changed at AWS.
    """
    seen, known = rest.seen, rest.known
    sizing = size(rest, waiting, policy, setbacks, now)
    doubtful = mass_absence(rest)
    if doubtful and not assured:
        return Plan(
            actions=(), sizing=sizing.refused(), notices=(absurdity(doubtful, refused=True),), refused=True
        )
    changes: tuple[Change, ...] = ()
    if not policy.paused:
        changes = (
            *protect(seen, known),
            *finish_terminations(seen, known, policy, now),
            *tag_allocations(seen, known),
        )
    return Plan(
        actions=(
            *resize(sizing),  # before all that is many: a top-up must not wait, nor its figures grow old
            *track(rest, doubtful, policy, now),
            *changes,
        ),
        sizing=sizing,
        notices=(
            *seen.notices,
            *setback_notices(setbacks, policy),
            *oddities(seen, known, policy, now),
            *disputes(seen, known),
            *((absurdity(doubtful, refused=False),) if doubtful else ()),
        ),
    )


def track(
    rest: Unsettled, doubtful: frozenset[InstanceId], policy: Policy, now: datetime
) -> Iterator[Action]:
    """Bring the registry up to what AWS shows, one instance at a time; of the `doubtful`, slowly."""
    seen, known = rest.seen, rest.known
    adopted = {action.seen.id: action for action in adoptions(rest, now)}
    yield from adopted.values()
    for look in seen.staying:
        if look.id not in known and look.id not in adopted:
            yield Discover(look)
    for instance in known.values():
        if instance.state is InstanceState.TERMINATED:
            continue  # what comes back is reported, see oddities
        found = seen.instances.get(instance.id)
        if found is None or found.unlisted:
            if seen.complete:
                grace = policy.mass_absence_grace if instance.id in doubtful else policy.absence_grace
                yield from _absent(instance, grace, now)
        else:
            if instance.missing_since is not None:
                yield MarkMissing(instance.id, since=None)
            if instance.id not in adopted:
                yield from _follow(instance, found, now, complete=seen.complete)


def protect(seen: Observation, known: Known) -> Iterator[Protect]:
    """Protect members in service that the group did not protect itself, before they can become idle."""
    bare = sorted(look.id for look in seen.staying if _wants_protection(look, known.get(look.id)))
    for start in range(0, len(bare), PROTECTED_AT_ONCE):
        yield Protect(tuple(bare[start : start + PROTECTED_AT_ONCE]))


def finish_terminations(
    seen: Observation, known: Known, policy: Policy, now: datetime
) -> Iterator[Terminate]:
    """Repeat our decision to AWS until AWS is seen to agree; an unanswered call is given time first.

    What somebody holds is left alone, and so is what was, until the next look.
    """
    for instance in known.values():
        look = seen.instances.get(instance.id)
        if instance.state is not InstanceState.TERMINATING or look is None or instance.held:
            continue
        if instance.end_reason is None or not instance.end_reason.ours or look.leaving or not look.member:
            continue
        called = instance.terminate_called_at
        if called is None or now - called >= policy.doubt:
            yield Terminate(instance.id)


def tag_allocations(seen: Observation, known: Known) -> Iterator[TagAllocation]:
    """Write each allocation on its instance once."""
    for instance in known.values():
        look = seen.instances.get(instance.id)
        if (
            instance.state is InstanceState.ALLOCATED
            and not instance.tagged
            and instance.project is not None
            and instance.allocated_at is not None
            and look is not None
            and look.member
            and look.holder in {None, instance.project}  # what somebody else wrote there is left alone
        ):
            yield TagAllocation(instance.id, instance.project, instance.allocated_at)


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
        yield Withdraw(instance.id, reason="AWS does not show it in service and running at its address")


def _absent(instance: Instance, grace: timedelta, now: datetime) -> Iterator[Action]:
    """One look is not a death certificate: the first notes it, a second one some time later proves it.

    An idle one is not given until it is seen again.
    """
    if instance.missing_since is None:
        yield MarkMissing(instance.id, since=now)
        if instance.state is InstanceState.IDLE:
            yield Withdraw(instance.id, reason="a complete look at AWS misses it")
    elif now - instance.missing_since >= grace:
        yield MarkTerminated(
            instance.id, expect=instance.state, reason=instance.end_reason or EndReason.VANISHED
        )


def _still_fit(instance: Instance, look: SeenInstance) -> bool:
    return look.serviceable and look.address == instance.address


def _wants_protection(look: SeenInstance, instance: Instance | None) -> bool:
    """Whether a member that AWS would let us protect is not; one that we end needs it no longer."""
    if look.protected or look.lifecycle is not Lifecycle.IN_SERVICE:
        return False
    return instance is None or instance.held or instance.state not in _ENDING
