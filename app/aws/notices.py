"""What an operator should know about a look at AWS, and about a group that is set up dangerously.

The dangers are those of the Auto Scaling user guide's chapters on Availability Zone rebalancing, maximum
instance lifetime, health checks, Capacity Rebalancing, warm pools, and suspended processes: each of them can
end an instance that a project is using, give one project what another left behind, or keep the buffer from
being filled. That a group does not protect new instances is none: we protect each before it is handed out.
"""

from collections.abc import Iterable, Iterator

from app.aws.translate import AddressKind, Answer, suspended
from app.domain.errors import CloudError
from app.domain.model import Lifecycle, Notice, Power, SeenInstance


def details_unknown(error: CloudError) -> Notice:
    """Tell that EC2 could not be asked."""
    return Notice(
        code="details-unknown",
        detail="EC2 could not be asked about every instance, so that this look proves no absence. "
        f"({error.detail})",
    )


def desired_unknown(group: str, error: CloudError) -> Notice:
    """Tell that the group itself may not be read."""
    return Notice(
        code="desired-unknown",
        detail="The permission autoscaling:DescribeAutoScalingGroups is missing, so that desired, min and "
        f"max size of '{group}' are unknown, and whether the group exists at all. Members are read from the "
        f"account's whole list instead. ({error.detail})",
    )


def without_address(looks: Iterable[SeenInstance], kind: AddressKind) -> Iterator[Notice]:
    """Tell of members that run and still have no address to hand out."""
    bare = sorted(
        look.id
        for look in looks
        if look.lifecycle is Lifecycle.IN_SERVICE and look.power is Power.RUNNING and look.address is None
    )
    if bare:
        yield Notice(
            code="no-address",
            detail=f"In service, but without a {kind} IP address, so never handed out: {', '.join(bare[:5])}"
            f"{' ...' if len(bare) > 5 else ''} ({len(bare)} in all).",  # noqa: PLR2004 - enough to find them
        )


def hazards(group: Answer) -> Iterator[Notice]:
    """Tell what in a group's own settings endangers instances in use, or the buffer."""
    stopped = suspended(group)
    if "AZRebalance" not in stopped and len(group.get("AvailabilityZones", [])) > 1:
        yield Notice(
            code="group-rebalances",
            detail="The process AZRebalance is not suspended: AWS may end an instance in use to even out its "
            "zones.",
        )
    if group.get("MaxInstanceLifetime"):
        yield Notice(
            code="group-limits-lifetime",
            detail="A maximum instance lifetime is set: AWS replaces instances that reach it.",
        )
    if "ELB" in group.get("HealthCheckType", ""):
        yield Notice(
            code="group-checks-elb",
            detail="A load balancer's health check is used: an instance in use that fails it is replaced.",
        )
    if group.get("CapacityRebalance"):
        yield Notice(
            code="group-rebalances-spot",
            detail="Capacity Rebalancing is on: AWS replaces a Spot Instance in use that may be interrupted.",
        )
    if (group.get("WarmPoolConfiguration") or {}).get("InstanceReusePolicy", {}).get("ReuseOnScaleIn"):
        yield Notice(
            code="group-reuses-instances",
            detail="The warm pool takes instances back on scale-in: a project may get what another one left "
            "behind.",
        )
    for process in sorted(stopped & {"Launch", "Terminate"}):
        yield Notice(
            code="group-process-suspended",
            detail=f"The process {process} is suspended: the buffer cannot be kept.",
        )
