"""A member of the Auto Scaling group: an instance, and what the group knows of it."""

from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup, InstanceState


class Member(InstanceState):  # type: ignore[misc] # moto has no types
    """A new member, pending. It keeps the number of the template's version that it was launched from."""

    instance_id: str

    def __init__(self, instance: Any, group: FakeAutoScalingGroup) -> None:
        instance.autoscaling_group = group
        super().__init__(
            instance,
            lifecycle_state="Pending",
            protected_from_scale_in=group.new_instances_protected_from_scale_in,
        )
        template = group.ec2_launch_template
        self._launched_from = template and {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Version": str(template.get_version(group.launch_template_version).number),
        }

    @property
    def launch_template(self) -> dict[str, str] | None:
        """The launch template with its version; None where it was launched from a configuration."""
        return self._launched_from
