"""The Auto Scaling group: keeps as many members as desired, at its own pace, and writes down what it does."""

import math
from collections import Counter
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, FakeAutoScalingGroup

from app.simulator import errors
from app.simulator.activities import Activity, History, Status
from app.simulator.clock import stamp, utc_now
from app.simulator.config import CloudConfig
from app.simulator.instances import Instances
from app.simulator.member import Member

BATCH = 20
"""Launched in one step, so that nobody waits long for the cloud's lock."""

HEALTHY_STATES = {
    "Pending": {"pending", "running"},
    "InService": {"running"},
    "Standby": {"running", "stopped"},
}
# Seen in the field (EKS's AsgInstanceLaunchFailures quote it), with many another reason.
ENDED_WHILE_PENDING = (
    "Instance became unhealthy while waiting for instance to be in InService state."
    " Termination Reason: Client.UserInitiatedShutdown: User initiated shutdown"
)
PROTECTED = "Could not scale to desired capacity because all remaining instances are protected from scale-in."


class Group(FakeAutoScalingGroup):  # type: ignore[misc] # moto has no types
    """One group. Callers hold the cloud's lock.

    Calls only write down what is wanted; step() looks at what is there and does what is missing.
    So it never matters in which order things happened (Auto Scaling user guide, "Auto Scaling benefits").
    """

    ec2: Instances
    history: History
    due: float
    min_size: int
    max_size: int
    desired_capacity: int

    def take_over(self, ec2: Instances, config: CloudConfig) -> None:
        """Begin, in the place of moto's own group."""
        self.ec2, self.history, self.due = ec2, History(self.name), math.inf
        self._config = config
        self._open: dict[str, Activity] = {}
        self._unhealthy_since: dict[str, float] = {}
        self._reason = ""
        self._retry_at = 0.0
        self._gave_up_at: int | None = None

    # What is wanted.

    def set_desired_capacity(self, new_capacity: int | None) -> None:
        """Write down how many members are wanted; min and max were checked by the caller."""
        before, after = self.desired_capacity, self.min_size if new_capacity is None else new_capacity
        self.desired_capacity = after
        if before != after:
            self._gave_up_at = None
            self._reason = (
                f"At {stamp(utc_now())} a user request explicitly set group desired capacity"
                f" changing the desired capacity from {before} to {after}.  "
            )

    def resize(self, minimum: int | None, maximum: int | None, desired: int | None) -> None:
        """Change the sizes; a desired capacity that is not given moves only as far as the limits push it."""
        low = self.min_size if minimum is None else minimum
        high = self.max_size if maximum is None else maximum
        if low < 0 or low > high:
            raise errors.validation("Min bound must be less than or equal to Max bound")
        if desired is not None and not low <= desired <= high:
            raise errors.validation(
                f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
            )
        self.min_size, self.max_size = low, high
        self.set_desired_capacity(min(max(self.desired_capacity if desired is None else desired, low), high))

    def update(self, **changes: Any) -> None:
        """Apply UpdateAutoScalingGroup."""
        self.resize(changes.pop("min_size"), changes.pop("max_size"), changes.pop("desired_capacity"))
        super().update(min_size=None, max_size=None, desired_capacity=None, **changes)

    def lose(self, member: Member) -> None:
        """Forget a member, which runs on with the group's tag, and launch another in its place."""
        self.instance_states.remove(member)
        self._unhealthy_since.pop(member.instance_id, None)
        self._close(member, "Cancelled", ENDED_WHILE_PENDING)

    def terminate(self, member: Member, *, decrement: bool) -> Activity:
        """Terminate one member at somebody's request; scale-in protection does not matter here.

        Auto Scaling API reference, TerminateInstanceInAutoScalingGroup.
        """
        if member.lifecycle_state.startswith(("Pending", "Terminating")):
            raise errors.busy(self._open[member.instance_id].id)
        if decrement and self.desired_capacity <= self.min_size:
            raise errors.at_min(self.min_size)
        cause = f"At {stamp(utc_now())} instance {member.instance_id} was taken out of service"
        cause += " in response to a user request"
        if decrement:
            before, self.desired_capacity = self.desired_capacity, self.desired_capacity - 1
            cause += f", shrinking the capacity from {before} to {self.desired_capacity}"
        return self._retire(member, f"{cause}.")

    def suspended(self, process: str) -> bool:
        """Tell whether a process is suspended (Auto Scaling user guide, "Suspend and resume processes")."""
        return process in self._suspended_processes

    def hurry(self) -> None:
        """Try failed launches again at once."""
        self._retry_at = 0.0

    # What is done about it.

    def step(self, now: float) -> None:
        """Bring the members one step closer to what is wanted; `due` says when to look again."""
        self.due = math.inf
        self._promote()
        self._bury()
        self._examine(now)
        self._replace(now)
        self._balance(now)

    def _promote(self) -> None:
        for member in self.instance_states:
            if member.lifecycle_state == "Pending" and member.instance.state == "running":
                member.lifecycle_state = "InService"
                self._close(member, "Successful")

    def _bury(self) -> None:
        for member in list(self.instance_states):
            if member.lifecycle_state == "Terminating" and member.instance.state == "terminated":
                self.instance_states.remove(member)
                self._unhealthy_since.pop(member.instance_id, None)
                self._close(member, "Successful")

    def _examine(self, now: float) -> None:
        """Leaving `running` is an immediate failure (Auto Scaling user guide, "Amazon EC2 health checks")."""
        for member in self.instance_states:
            healthy_states = HEALTHY_STATES.get(member.lifecycle_state)
            lost = healthy_states is not None and member.instance.state not in healthy_states
            if lost and not self.suspended("HealthCheck"):
                member.health_status = "Unhealthy"
            if member.health_status == "Unhealthy":
                self._unhealthy_since.setdefault(member.instance_id, now)
            else:
                self._unhealthy_since.pop(member.instance_id, None)

    def _replace(self, now: float) -> None:
        if self.suspended("ReplaceUnhealthy") or self.suspended("Terminate"):
            return
        for member in self.instance_states:
            if member.health_status != "Unhealthy" or member.lifecycle_state in {"Terminating", "Standby"}:
                continue
            at = self._unhealthy_since[member.instance_id] + self._config.replace_seconds
            if at > now:
                self.due = min(self.due, at)
                continue
            found = (
                "a user health-check"
                if member.instance.state == "running"
                else "an EC2 health check indicating it has been terminated or stopped"
            )
            self._close(member, "Cancelled", ENDED_WHILE_PENDING)
            self._retire(
                member, f"At {stamp(utc_now())} an instance was taken out of service in response to {found}."
            )
            self.due = now

    def _balance(self, now: float) -> None:
        active = [
            member for member in self.instance_states if member.lifecycle_state in {"Pending", "InService"}
        ]
        missing = self.desired_capacity - len(active)
        if missing > 0 and not self.suspended("Launch"):
            self._grow(missing, active, now)
        elif missing < 0 and not self.suspended("Terminate"):
            self._shrink(-missing, active)
        if missing == 0:
            self._reason = ""

    def _grow(self, missing: int, active: list[Any], now: float) -> None:
        if now < self._retry_at:
            self.due = min(self.due, self._retry_at)
            return
        count = min(missing, int(min(self.ec2.room(), BATCH)))
        zones = self._spread(count, active)
        for subnet, share in zones.items():
            self._launch(subnet, share, len(active))
        if count == min(missing, BATCH):
            self.due = now if missing > count else self.due
            return
        for nth in range(min(missing - count, BATCH)):
            self._fail_launch(len(active) + count + nth)
        self._retry_at = now + self._config.retry_seconds
        self.due = min(self.due, self._retry_at)

    def _shrink(self, excess: int, active: list[Any]) -> None:
        open_to_all = [
            m for m in active if m.lifecycle_state == "InService" and not m.protected_from_scale_in
        ]
        crowd = Counter(member.availability_zone for member in active)
        for _ in range(min(excess, len(open_to_all))):
            # The default termination policy: the zone with most members first, the oldest there.
            victim = max(open_to_all, key=lambda member: crowd[member.availability_zone])
            open_to_all.remove(victim)
            crowd[victim.availability_zone] -= 1
            self._retire(
                victim,
                f"{self._reason}At {stamp(utc_now())} an instance was taken out of service in response to a"
                f" difference between desired and actual capacity, shrinking the capacity.",
            )
            excess -= 1
        booting = any(member.lifecycle_state == "Pending" for member in active)
        if excess and not booting and self._gave_up_at != self.desired_capacity:
            # Auto Scaling user guide, "Use instance scale-in protection".
            self._gave_up_at = self.desired_capacity
            reached = f"{self._reason}At {stamp(utc_now())} group reached equilibrium."
            self.history.open(PROTECTED, reached).finish("Cancelled")

    # The single deeds.

    def _spread(self, count: int, active: list[Any]) -> dict[str, int]:
        """Share new members between the subnets: the next goes where the fewest are."""
        subnets = {zone.id: zone.availability_zone for zone in self._subnets()}
        crowd = Counter(member.availability_zone for member in active)
        shares: Counter[str] = Counter()
        for _ in range(count):
            emptiest = min(subnets, key=lambda subnet: crowd[subnets[subnet]])
            crowd[subnets[emptiest]] += 1
            shares[emptiest] += 1
        return dict(shares)

    def _subnets(self) -> list[Any]:
        ids = self.vpc_zone_identifier.split(",") if self.vpc_zone_identifier else None
        if ids:
            return list(self.ec2.describe_subnets(subnet_ids=ids))
        zones = {"availability-zone": self.availability_zones, "default-for-az": "true"}
        return list(self.ec2.describe_subnets(filters=zones))

    def _launch(self, subnet: str, count: int, before: int) -> None:
        template = self.ec2_launch_template
        reservation = self.ec2.run_instances(
            self.image_id,
            count,
            self.user_data,
            self.security_groups,
            instance_type=self.instance_type,
            is_instance_type_default=False,
            launch_config=self.launch_config,
            launch_template={"LaunchTemplateId": template.id} if template else None,
            subnet_id=subnet,
            associate_public_ip=False,
            block_device_mappings=[],  # nobody reads the volumes, and they make moto slow
            tags={"instance": {**self.get_propagated_tags(), **self.instance_tags, ASG_NAME_TAG: self.name}},
        )
        for nth, instance in enumerate(reservation.instances):
            member = Member(instance, self)
            self.instance_states.append(member)
            self._open[instance.id] = self.history.open(
                f"Launching a new EC2 instance: {instance.id}",
                self._started(before + nth),
                {"Subnet ID": subnet, "Availability Zone": member.availability_zone},
            )

    def _fail_launch(self, before: int) -> None:
        subnets = self._subnets()
        zone, others = subnets[0].availability_zone, [subnet.availability_zone for subnet in subnets[1:]]
        refusal = self.ec2.capacity.refusal(self.instance_type, zone, others)
        self.history.open(
            f"Launching a new EC2 instance.  Status Reason: {refusal}",
            self._started(before),
            {"Subnet ID": subnets[0].id, "Availability Zone": zone},
        ).finish("Failed", refusal)

    def _started(self, before: int) -> str:
        return (
            f"{self._reason}At {stamp(utc_now())} an instance was started in response to a difference between"
            f" desired and actual capacity, increasing the capacity from {before} to {before + 1}."
        )

    def _retire(self, member: Any, cause: str) -> Activity:
        member.lifecycle_state = "Terminating"
        activity = self.history.open(
            f"Terminating EC2 instance: {member.instance_id}",
            cause,
            {"Subnet ID": str(member.instance.subnet_id), "Availability Zone": member.availability_zone},
        )
        self._open[member.instance_id] = activity
        self.ec2.shut_down(member.instance)
        return activity

    def _close(self, member: Any, status: Status, message: str | None = None) -> None:
        activity = self._open.pop(member.instance_id, None)
        if activity is not None:
            activity.finish(status, message)
