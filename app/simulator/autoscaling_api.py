"""The Auto Scaling actions whose limits, pages or answers moto leaves out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from app.simulator import errors
from app.simulator.activities import Activity

MOST_IDS = 50
MOST_MEMBERS = 50
MOST_ACTIVITIES = 100


class AutoScalingApi(AutoScalingResponse):  # type: ignore[misc] # moto has no types
    """Auto Scaling API reference, actions by the same names."""

    def describe_auto_scaling_groups(self) -> ActionResult:
        """As moto does it, with AWS's limit on the page."""
        self._page_size(MOST_ACTIVITIES)
        return super().describe_auto_scaling_groups()

    def describe_auto_scaling_instances(self) -> ActionResult:
        """Members of all groups, 50 a page; ids that are unknown are passed over."""
        ids = self._ids()
        size = self._page_size(MOST_MEMBERS)
        after = self._get_param("NextToken") or ""
        members = sorted(
            (
                member
                for _, member in self.autoscaling_backend.members()
                if member.instance_id > after and (not ids or member.instance_id in ids)
            ),
            key=lambda member: member.instance_id,
        )
        token = members[size - 1].instance_id if len(members) > size else None
        return ActionResult({"AutoScalingInstances": members[:size], "NextToken": token})

    def describe_scaling_activities(self) -> ActionResult:
        """Tell what the group did, newest first, at most 100 a page."""
        size = self._page_size(MOST_ACTIVITIES)
        entries = [entry for entry in self._histories() if self._wanted(entry)]
        entries.sort(key=lambda entry: entry.started, reverse=True)
        token = self._get_param("NextToken")
        if token:
            ids = [entry.id for entry in entries]
            if token not in ids:
                raise errors.bad_token()
            entries = entries[ids.index(token) + 1 :]
        page = entries[:size]
        more = page[-1].id if len(entries) > size else None
        return ActionResult({"Activities": [entry.as_aws() for entry in page], "NextToken": more})

    def terminate_instance_in_auto_scaling_group(self) -> ActionResult:
        """Begin to terminate a member, and return the activity that does it."""
        instance_id = self._get_param("InstanceId")
        if not instance_id:
            raise errors.validation("The simulated cloud terminates by InstanceId only, one instance a call.")
        decrement = self._get_bool_param("ShouldDecrementDesiredCapacity")
        if decrement is None:
            raise errors.validation("ShouldDecrementDesiredCapacity is required.")
        activity = self.autoscaling_backend.terminate_instance(instance_id, decrement)
        return ActionResult({"Activity": activity.as_aws()})

    def set_instance_protection(self) -> ActionResult:
        """Protect at most 50 members in one call."""
        self._ids()
        return super().set_instance_protection()

    def delete_auto_scaling_group(self) -> ActionResult:
        """Delete a group, and with ForceDelete its members."""
        force = self._get_bool_param("ForceDelete", if_none=False)
        self.autoscaling_backend.delete_group(self._get_param("AutoScalingGroupName"), force=force)
        return EmptyResult()

    def _ids(self) -> list[str]:
        ids: list[str] = self._get_param("InstanceIds", [])
        if len(ids) > MOST_IDS:
            raise errors.too_many_ids()
        return ids

    def _page_size(self, limit: int) -> int:
        asked = self._get_int_param("MaxRecords")
        if asked is not None and asked > limit:
            raise errors.too_large("maxRecords", asked, limit)
        return int(asked or limit)

    def _histories(self) -> list[Activity]:
        name = self._get_param("AutoScalingGroupName")
        groups = [self.autoscaling_backend.group(name)] if name else self.autoscaling_backend.all()
        return [entry for group in groups for entry in group.history]

    def _wanted(self, entry: Activity) -> bool:
        ids = self._get_param("ActivityIds", [])
        filters: list[dict[str, Any]] = self._get_param("Filters", [])
        for condition in filters:
            name, values = condition["Name"], condition.get("Values", [])
            if name == "Status" and entry.status not in values:
                return False
            if name == "StartTimeLowerBound" and entry.started < min(_moments(name, values)):
                return False
            if name == "StartTimeUpperBound" and entry.started > max(_moments(name, values)):
                return False
        return not ids or entry.id in ids


def _moments(name: str, values: Sequence[str]) -> list[datetime]:
    """Read ISO 8601; what names no time zone is UTC (API reference, DescribeScalingActivities)."""
    try:
        moments = [datetime.fromisoformat(value) for value in values]
    except ValueError:
        raise errors.bad_filter(name) from None
    if not moments:
        raise errors.bad_filter(name)
    return [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in moments]
