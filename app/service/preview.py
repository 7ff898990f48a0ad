"""The first half of a pass, which changes nothing: look, and decide."""

from collections.abc import Callable
from dataclasses import dataclass

from app.domain.errors import GroupChanged
from app.domain.model import InstanceState, Known, Observation, Policy
from app.domain.plan import Plan, plan
from app.domain.setbacks import LaunchFailure, Setbacks
from app.domain.settled import Unsettled
from app.ports import Clock, Cloud, ControlPanel, Due, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a pass would do now, and what it goes by."""

    policy: Policy
    """The settings', with what operators said put over it."""
    seen: Observation
    known: Known
    rest: Unsettled
    """What is to be looked through of both."""
    waiting: int
    todo: Plan
    due: Due | None = None
    """What has had its time; None where nobody asked."""


def preview(
    *,
    policy: Policy,
    registry: Registry,
    controls: ControlPanel,
    cloud: Cloud,
    clock: Clock,
    launch_failure: Callable[[Unsettled], LaunchFailure | None] = lambda _: None,
    urgent: bool = False,
) -> Preview:
    """Look at registry and AWS, and decide what a pass must do; `launch_failure` explains missing members.

    An `urgent` look is taken where our own budget of calls would make others wait.
    Raises CloudError where AWS cannot be seen, or shows another group than before, and RegistryUnavailable.
    """
    policy = controls.controls(policy.pool).over(policy)
    # The registry before AWS: what is missing from the later look is really gone.
    known = registry.instances(policy.pool)
    waiting = registry.waiting(policy.pool, now=clock.now())
    seen = cloud.observe(known.keys(), urgent=urgent)
    before = registry.view(policy.pool).group.arn
    if None not in {before, seen.group.arn} and before != seen.group.arn:
        raise GroupChanged(
            f"The group is {seen.group.arn}, and the database belongs to {before}: another account, or a new "
            "group of the same name. Nothing is written. For a new group, start with an empty database."
        )
    strangers = [look.id for look in seen.instances.values() if look.member and look.id not in known]
    known = {**known, **registry.terminated(strangers)}
    rest = Unsettled.of(seen, known)
    booting = {one.template for one in rest.known.values() if one.state is InstanceState.BOOTING}
    rows = (row for row in registry.boot_failures(policy.pool) if row.template in booting)
    setbacks = Setbacks(launch=launch_failure(rest), boots=tuple(rows))
    assured = before is not None and before == seen.group.arn
    todo = plan(rest, waiting, policy, clock.now(), setbacks=setbacks, assured=assured)
    return Preview(policy=policy, seen=seen, known=known, rest=rest, waiting=waiting, todo=todo)
