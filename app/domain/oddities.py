"""What a pass cannot mend and an operator should know."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from app.domain.model import (
    Instance,
    InstanceId,
    InstanceState,
    Known,
    Lifecycle,
    Limit,
    Notice,
    Observation,
    Policy,
    Power,
    SeenInstance,
)
from app.domain.setbacks import Setbacks

_LIVING = frozenset({InstanceState.BOOTING, InstanceState.IDLE, InstanceState.ALLOCATED})
_NAMED = 5
"""How many instances a notice names: enough to find them all."""

_TOLD: dict[str, str] = {
    "unknown-lifecycle": "In a state that we make nothing of ({word}), so neither handed out nor ended by us",
    "back-from-the-dead": "A member of the group that was taken for gone: neither handed out nor ended by "
    "us, end it by hand",
    "detached": "No longer a member of the group, but it still exists: we do not end it",
    "launch-slow": "Pending for longer than the boot timeout (a launch hook that nobody completes?): AWS "
    "lets us neither use nor end it",
    "details-missing": "A member that EC2 does not know for longer than the boot timeout: not handed out",
    "boot-unwatched": "In service for long before we knew of it, and it does not answer. Somebody may be "
    "using it, so we do not end it: destroy it if nobody does",
    "termination-stuck": "To be ended by our decision, and AWS has not done it for longer than the boot "
    "timeout",
}


def oddities(seen: Observation, known: Known, policy: Policy, now: datetime) -> Iterator[Notice]:
    """Report what we make nothing of and therefore leave alone: a notice a kind, and not one an instance."""
    found: dict[str, list[SeenInstance]] = {}
    for look in seen.instances.values():
        code = _oddity(look, known.get(look.id), seen, policy, now)
        if code is not None:
            found.setdefault(code, []).append(look)
    for code, looks in sorted(found.items()):
        text = _TOLD[code].format(word=looks[0].raw_lifecycle)
        yield Notice(code=code, detail=f"{text}: {named(look.id for look in looks)}.")


def setback_notices(setbacks: Setbacks, policy: Policy) -> Iterator[Notice]:
    """Report why instances do not come, or do not get ready."""
    launch = setbacks.launch
    if launch is not None:
        where = f" in {launch.zone}" if launch.zone else ""
        yield Notice(
            code=_LAUNCH_CODES.get(launch.limit, "launch-unexplained"),
            detail=f"AWS could not launch an instance{where} at {launch.at:%H:%M:%S} UTC: {launch.message}",
        )
    for row in setbacks.boots:
        if row.count >= policy.boots_failed:
            origin = f" of {row.template}" if row.template else ""
            yield Notice(
                code="boot-failures",
                detail=f"{row.count} instances in a row{origin} did not become ready, the last: {row.last}. "
                "The others are replaced one at a time, ever more slowly: look at one that is booting.",
            )


_LAUNCH_CODES = {
    Limit.CAPACITY: "launch-capacity",
    Limit.QUOTA: "launch-quota",
    Limit.CONFIGURATION: "launch-configuration",
}


def absurd(seen: Observation, known: Known, policy: Policy, now: datetime) -> frozenset[InstanceId]:
    """Name the instances that this look would end for mere absence, if that is too many to believe.

    More than one, and half or more of all: so much does not vanish at once without a trace in EC2, which
    lists the terminated for about an hour. A look into a wrong region or account would show just that. Where
    the group's own ARN says that it is the right one, and it stays so for long, it is believed.
    """
    if not seen.complete:
        return frozenset()
    ours = [instance for instance in known.values() if instance.state in _LIVING]
    missing = [one for one in ours if (look := seen.instances.get(one.id)) is None or look.unlisted]
    if len(missing) <= 1 or 2 * len(missing) < len(ours):
        return frozenset()
    proved = seen.group.arn is not None and all(
        one.missing_since is not None and now - one.missing_since >= policy.mass_absence_grace
        for one in missing
    )
    return frozenset() if proved else frozenset(one.id for one in missing)


def absurdity(doubtful: frozenset[InstanceId]) -> Notice:
    """Report a look that was refused."""
    return Notice(
        code="absurd-look",
        detail=f"AWS lists none of {len(doubtful)} instances that we know. Nothing was done: are group, "
        f"region and account right? If they are really gone, destroy them: {named(doubtful)}.",
    )


def named(instances: Iterable[InstanceId]) -> str:
    """Name the first few, and say how many there are."""
    every = sorted(instances)
    few = ", ".join(every[:_NAMED])
    return few if len(every) <= _NAMED else f"{few} ... ({len(every)} in all)"


def unwatched(instance: Instance, policy: Policy) -> bool:
    """Whether an instance was in service for long when we came to know it, and was never ready since.

    As after the loss of the database: somebody may be using it whose tag was not written.
    """
    if instance.state is not InstanceState.BOOTING or instance.address is not None:
        return False
    return (
        instance.launched_at is not None
        and instance.state_since - instance.launched_at >= policy.boot_timeout
        and instance.in_service_since is not None
        and instance.in_service_since - instance.state_since < policy.boot_timeout
    )


def _oddity(  # noqa: PLR0911 - a table of cases
    look: SeenInstance, instance: Instance | None, seen: Observation, policy: Policy, now: datetime
) -> str | None:
    if look.lifecycle is Lifecycle.OTHER:
        return "unknown-lifecycle"
    if instance is None:
        return None
    if instance.state is InstanceState.TERMINATED:
        return "back-from-the-dead"
    if not look.member:
        return "detached" if look.power in {Power.RUNNING, Power.STOPPED} else None
    if now - instance.state_since < policy.boot_timeout:
        return None
    if instance.state is InstanceState.TERMINATING:
        return "termination-stuck" if not look.leaving else None
    if instance.state is not InstanceState.BOOTING:
        return None
    if look.lifecycle is Lifecycle.PENDING:
        return "launch-slow"
    if look.power is Power.UNKNOWN:
        return "details-missing" if seen.complete else None
    return "boot-unwatched" if unwatched(instance, policy) else None
