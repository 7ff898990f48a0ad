"""What went wrong before and stands in the way: launches that failed, instances that did not get ready."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.model import Instance, InstanceId, Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailure:
    """An instance that AWS could not launch."""

    limit: Limit
    """CAPACITY, QUOTA or CONFIGURATION."""
    message: str
    """AWS's own sentence."""
    at: datetime
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFailures:
    """How many instances in a row, of one launch template version, did not become ready."""

    count: int = 0
    template: str | None = None
    last: InstanceId | None = None
    last_at: datetime | None = None

    def with_one_more(self, instance: Instance, now: datetime) -> "BootFailures":
        """Continue the row."""
        return BootFailures(count=self.count + 1, template=instance.template, last=instance.id, last_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setbacks:
    """What went wrong lately and stands in the way of the buffer."""

    launch: LaunchFailure | None = None
    """The newest launch that failed, while members are missing."""
    boots: tuple[BootFailures, ...] = ()
    """A row for each launch template version that has one."""
