"""Auto Scaling: all groups of the account, on top of moto's records of them."""

import math
from collections.abc import Iterator
from typing import Any

from moto.autoscaling.models import AutoScalingBackend

from app.simulator import errors
from app.simulator.activities import Activity
from app.simulator.config import CloudConfig
from app.simulator.group import Group
from app.simulator.instances import Instances


class Groups(AutoScalingBackend):  # type: ignore[misc] # moto has no types
    """Refuses what AWS refuses, and hands the rest to the group. Callers hold the cloud's lock."""

    def __init__(self, config: CloudConfig, account: str, ec2: Instances) -> None:
        super().__init__(config.region, account)
        self.ec2 = ec2
        self._config = config

    @property
    def due(self) -> float:
        """When step() has something to do next; infinity when no group waits for anything."""
        return min((group.due for group in self.all()), default=math.inf)

    def step(self, now: float) -> None:
        """Let every group do what is missing."""
        for group in self.all():
            group.step(now)

    def all(self) -> list[Group]:
        """Every group, in the order of creation."""
        return list(self.autoscaling_groups.values())

    def group(self, name: str) -> Group:
        """Return one group, or refuse as AWS does."""
        found: Group | None = self.autoscaling_groups.get(name)
        if found is None:
            raise errors.no_group()
        return found

    def members(self) -> Iterator[tuple[Group, Any]]:
        """Every member with its group."""
        return ((group, member) for group in self.all() for member in group.instance_states)

    def member(self, instance_id: str) -> tuple[Group, Any]:
        """Return one member with its group, or refuse as AWS does."""
        for group, member in self.members():
            if member.instance_id == instance_id:
                return group, member
        raise errors.no_member(instance_id)

    # What moto calls from its own request handlers.

    def create_auto_scaling_group(
        self, *, name: str, desired_capacity: int | None = None, **rest: Any
    ) -> Group:
        """Create a group; its members come afterwards, one step at a time."""
        if name in self.autoscaling_groups:  # moto would put the new one in its place
            raise errors.group_exists(name)
        group = super().create_auto_scaling_group(name=name, desired_capacity=0, **rest)
        # moto names the class of its groups itself; ours differs in behaviour only.
        group.__class__ = Group
        group.take_over(self.ec2, self._config)
        group.resize(None, None, group.min_size if desired_capacity is None else int(desired_capacity))
        return group  # type: ignore[no-any-return] # moto has no types

    def set_desired_capacity(self, group_name: str, desired_capacity: int) -> None:
        """Check and write down how many members a group shall have."""
        group = self.group(group_name)
        if desired_capacity > group.max_size:
            raise errors.above_max(desired_capacity, group.max_size)
        if desired_capacity < group.min_size:
            raise errors.below_min(desired_capacity, group.min_size)
        group.set_desired_capacity(desired_capacity)

    def terminate_instance(self, instance_id: str, should_decrement: bool) -> Activity:
        """Begin to terminate one member."""
        group, member = self.member(instance_id)
        return group.terminate(member, decrement=should_decrement)

    def set_instance_protection(
        self, group_name: str, instance_ids: list[str], protected_from_scale_in: bool
    ) -> None:
        """Protect members from scale-in, or no longer: all of them or none."""
        group = self.group(group_name)
        members = {member.instance_id: member for member in group.instance_states}
        for instance_id in instance_ids:
            if instance_id not in members:
                raise errors.no_member(instance_id)
            if members[instance_id].lifecycle_state not in {"InService", "EnteringStandby", "Standby"}:
                raise errors.not_in_service(instance_id)
        for instance_id in instance_ids:
            members[instance_id].protected_from_scale_in = protected_from_scale_in

    def set_instance_health(self, instance_id: str, health_status: str) -> None:
        """Believe what somebody says about a member; the group acts on it by itself."""
        if health_status not in {"Healthy", "Unhealthy"}:
            raise errors.validation("Valid instance health states are: [Healthy, Unhealthy].")
        self.member(instance_id)[1].health_status = health_status

    def lose(self, instance_id: str) -> None:
        """Let a group forget one of its members, which runs on."""
        group, member = self.member(instance_id)
        group.lose(member)

    def suspend_processes(self, group_name: str, scaling_processes: list[str]) -> None:
        """Suspend processes of a group."""
        self.group(group_name)
        super().suspend_processes(group_name, scaling_processes)

    def resume_processes(self, group_name: str, scaling_processes: list[str]) -> None:
        """Resume processes of a group."""
        self.group(group_name)
        super().resume_processes(group_name, scaling_processes)

    def delete_group(self, group_name: str, *, force: bool) -> None:
        """Delete a group, and with force all its members (API reference, DeleteAutoScalingGroup)."""
        group = self.group(group_name)
        if group.instance_states and not force:
            raise errors.group_in_use()
        for member in group.instance_states:
            self.ec2.shut_down(member.instance)
        del self.autoscaling_groups[group_name]

    def notify_terminate_instances(self, instance_ids: list[str]) -> None:
        """Ignore what EC2 was asked to terminate: a group learns of it by its own health check."""
