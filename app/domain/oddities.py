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
from app.domain.settled import Unsettled

_LIVING = frozenset({InstanceState.BOOTING, InstanceState.IDLE, InstanceState.ALLOCATED})
_SEVERAL = 2
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


def mass_absence(rest: Unsettled) -> frozenset[InstanceId]:
    """Name the instances that a look misses without a trace, if they are too many to vanish at once.

    More than one, and half or more of all that were there when the first of them was missed: EC2 lists the
    terminated for about an hour. A look into a wrong region or account would show just that.
    """
    seen = rest.seen
    if not seen.complete:
        return frozenset()
    missing = {
        one.id: one
        for one in rest.known.values()
        if one.state in _LIVING and ((look := seen.instances.get(one.id)) is None or look.unlisted)
    }
    if len(missing) < _SEVERAL:
        return frozenset()
    began = min(
        (one.missing_since for one in missing.values() if one.missing_since is not None), default=None
    )
    ours = (one for one in rest.everybody.values() if one.state in _LIVING)
    there = sum(began is None or one.state_since < began or one.id in missing for one in ours)
    return frozenset(missing) if 2 * len(missing) >= there else frozenset()


def absurdity(doubtful: frozenset[InstanceId], *, refused: bool) -> Notice:
    """Report that many are missing: the look is `refused`, or only not believed for a while."""
    done = (
        "The look was refused: are group, region and account right?"
        if refused
        else "They are not handed out, and given up if it stays so for ten minutes."
    )
    return Notice(
        code="absurd-look",
        detail=f"AWS lists none of {len(doubtful)} instances that we know, half of all or more. {done} If "
        f"they are gone, destroy them: {named(doubtful)}.",
    )


def named(instances: Iterable[InstanceId]) -> str:
    """Name the first few, and say how many there are."""
    every = sorted(instances)
    few = ", ".join(every[:_NAMED])
    return few if len(every) <= _NAMED else f"{few} ... ({len(every)} in all)"


def unwatched(instance: Instance, look: SeenInstance | None, policy: Policy) -> bool:
    """Whether an instance was in service for long when we came to know it, and was never ready since.

    As after the loss of the database: somebody may be using it whose tag was not written.
    """
    if instance.state is not InstanceState.BOOTING or instance.address is not None:
        return False
    launched_at = instance.launched_at or (look.launched_at if look is not None else None)
    return (
        launched_at is not None
        and instance.state_since - launched_at >= policy.boot_timeout
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
        return "termination-stuck" if not (look.leaving or instance.held) else None
    if instance.state is not InstanceState.BOOTING or instance.held:
        return None
    if look.lifecycle is Lifecycle.PENDING:
        return "launch-slow"
    if look.power is Power.UNKNOWN:
        return "details-missing" if seen.complete else None
    return "boot-unwatched" if unwatched(instance, look, policy) else None
