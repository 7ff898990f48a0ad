"""What a pass cannot mend and an operator should know."""

from collections.abc import Iterator
from datetime import datetime

from app.domain.model import (
    InstanceId,
    InstanceState,
    Known,
    Lifecycle,
    Limit,
    Notice,
    Observation,
    Policy,
    Power,
)
from app.domain.setbacks import Setbacks

_LIVING = frozenset({InstanceState.BOOTING, InstanceState.IDLE, InstanceState.ALLOCATED})


def oddities(seen: Observation, known: Known, policy: Policy, now: datetime) -> Iterator[Notice]:
    """Report what we make nothing of and therefore leave alone."""
    for look in seen.instances.values():
        instance = known.get(look.id)
        if look.lifecycle is Lifecycle.PENDING and instance is not None:
            if instance.state is InstanceState.BOOTING and now - instance.state_since >= policy.boot_timeout:
                yield Notice(
                    code="launch-slow",
                    detail=f"{look.id} is in {look.raw_lifecycle} since {instance.state_since:%H:%M:%S} "
                    "UTC: a launch hook that nobody completes? AWS lets us neither use it nor end it.",
                )
        elif look.lifecycle is Lifecycle.OTHER:
            yield Notice(
                code="unknown-lifecycle",
                detail=f"{look.id} is in {look.raw_lifecycle}: it is left alone and not handed out.",
            )
        elif instance is not None and instance.state is InstanceState.TERMINATED:
            yield Notice(
                code="back-from-the-dead",
                detail=f"{look.id} is a member of the group, but was taken for gone "
                f"({instance.end_reason}). It is not handed out and not ended by us: end it by hand.",
            )
        elif instance is not None and not look.member and look.power in {Power.RUNNING, Power.STOPPED}:
            yield Notice(
                code="detached",
                detail=f"{look.id} is no longer a member of the group but still exists: we do not end it.",
            )


_LAUNCH_CODES = {
    Limit.CAPACITY: "launch-capacity",
    Limit.QUOTA: "launch-quota",
    Limit.CONFIGURATION: "launch-configuration",
}


def setback_notices(setbacks: Setbacks, policy: Policy) -> Iterator[Notice]:
    """Report why instances do not come, or do not get ready."""
    launch, boots = setbacks.launch, setbacks.boots
    if launch is not None:
        where = f" in {launch.zone}" if launch.zone else ""
        yield Notice(
            code=_LAUNCH_CODES.get(launch.limit, "launch-unexplained"),
            detail=f"AWS could not launch an instance{where} at {launch.at:%H:%M:%S} UTC: {launch.message}",
        )
    if boots.count >= policy.boots_failed:
        origin = f" of {boots.template}" if boots.template else ""
        yield Notice(
            code="boot-failures",
            detail=f"{boots.count} instances in a row{origin} did not become ready, the last: {boots.last}."
            " The others are replaced one at a time, ever more slowly: look at one that is booting.",
        )


def unprovable(seen: Observation, known: Known) -> Iterator[Notice]:
    """Report a look that was refused because it would have lost many allocations at once."""
    doubtful = mass_absence(seen, known)
    if seen.complete and doubtful:
        yield Notice(
            code="absurd-look",
            detail=f"AWS lists none of {len(doubtful)} instances that we know. Nothing was given up: are "
            f"group, region and account right? If they are really gone, destroy them ({_some(doubtful)}).",
        )


def mass_absence(seen: Observation, known: Known) -> frozenset[InstanceId]:
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
