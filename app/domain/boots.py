"""From launched to idle: who is probed, who is offered, who has had its time, and when to stop hurrying."""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from app.domain.actions import MarkIdle, MarkTerminating
from app.domain.model import (
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    Known,
    Lifecycle,
    Observation,
    Policy,
    Power,
    SeenInstance,
)
from app.domain.oddities import unwatched
from app.domain.setbacks import BootFailures

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def boots(seen: Observation, known: Known) -> tuple[SeenInstance, ...]:
    """List the booting instances that AWS has in service: to be probed, and to be ready in time.

    Not those that somebody holds for inspection: they are neither offered nor replaced.
    """
    return tuple(
        look
        for look in seen.instances.values()
        if look.lifecycle is Lifecycle.IN_SERVICE
        and look.holder is None  # in use by its tags: neither offered nor replaced
        and look.id in known
        and known[look.id].state is InstanceState.BOOTING
        and not known[look.id].held
    )


def conclude_boots(
    booting: Iterable[SeenInstance],
    known: Known,
    ready: Collection[InstanceId],
    failures: Iterable[BootFailures],
    *,
    policy: Policy,
    now: datetime,
) -> Iterator[MarkIdle | MarkTerminating]:
    """Offer what passed its probe just now (`ready`), and replace what takes longer than it may.

    After several failures in a row of one launch template version, one instance at a time is replaced, ever
    more slowly: whatever hinders them will most likely hinder the next ones, and those that stay can be
    looked at. Not so once instances are launched with another version, of which less is known to fail. While
    the pool is paused, none is.
    """
    found = [(known[look.id], look) for look in booting if look.id in known]
    found = [
        (instance, look)
        for instance, look in found
        if instance.state is InstanceState.BOOTING and not instance.held
    ]
    offered = frozenset(look.id for _, look in found if look.serviceable and look.id in ready)
    rows = {row.template: row for row in failures}
    for one in offered:
        if not _was_ready(known[one]):  # one that comes back proves nothing new
            rows.pop(known[one].template, None)
    allowed, launching = _allowance(known, policy), _launching(known)

    def superseded(template: str | None) -> bool:
        newest = rows.get(launching, BootFailures())
        return launching != template and newest.count < policy.boots_failed

    for instance, look in found:
        row = rows.get(instance.template, BootFailures(template=instance.template))
        if look.id in offered and look.address is not None:
            yield MarkIdle(look.id, address=look.address, port=look.port or policy.port)
        elif (
            policy.paused
            or unwatched(instance, look, policy)
            or not _overdue(instance, look, allowed(instance), now)
        ):
            continue
        elif now >= next_replacement(row, policy) or superseded(instance.template):
            reason = EndReason.UNHEALTHY if _was_ready(instance) else EndReason.BOOT_TIMEOUT
            yield MarkTerminating(look.id, expect=instance.state, reason=reason)
            rows[instance.template] = row.with_one_more(instance, now)


def next_replacement(row: BootFailures, policy: Policy) -> datetime:
    """Say when another instance may be replaced, by what failed before it."""
    if row.last_at is None or row.count < policy.boots_failed:
        return _LONG_AGO
    pause = policy.boot_timeout * (1 << min(row.count - policy.boots_failed, 16))
    return row.last_at + min(pause, max(policy.longest_backoff, policy.boot_timeout))


def _launching(known: Known) -> str | None:
    """Name the launch template version of the newest instance: the next one will most likely have it, too."""
    newest = max(known.values(), key=lambda one: (one.launched_at or _LONG_AGO, one.id), default=None)
    return newest.template if newest is not None else None


def _allowance(known: Known, policy: Policy) -> Callable[[Instance], timedelta]:
    """Say how long an instance may take: one that had been ready and stopped answering less than a new one.

    Unless most of them stopped: then the fault is more likely ours, or the network's, and they have time.
    """
    fallen = sum(
        _was_ready(one) and one.state is InstanceState.BOOTING and not one.held for one in known.values()
    )
    idle = sum(one.state is InstanceState.IDLE for one in known.values())
    recovery = policy.boot_timeout if fallen > idle else min(policy.recovery, policy.boot_timeout)
    return lambda instance: recovery if _was_ready(instance) else policy.boot_timeout


def _was_ready(instance: Instance) -> bool:
    return instance.address is not None


def _overdue(instance: Instance, look: SeenInstance, allowed: timedelta, now: datetime) -> bool:
    """Whether a booting instance has had its time, and more of it may not help.

    The time runs while AWS has it in service: before that, a launch hook may rightly take an hour. Where EC2
    could not be asked, or the instance runs without an address to probe, a new one would fare no better.
    """
    if instance.in_service_since is None or look.power is Power.UNKNOWN:
        return False
    if look.power is Power.RUNNING and look.address is None:
        return False
    return now - max(instance.state_since, instance.in_service_since) >= allowed
