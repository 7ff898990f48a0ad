"""What went wrong before and stands in the way: launches that failed, instances that did not get ready."""

from dataclasses import dataclass, field
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
    """How many instances in a row, all of one launch template version, did not become ready."""

    count: int = 0
    template: str | None = None
    last: InstanceId | None = None
    last_at: datetime | None = None

    def with_one_more(self, instance: Instance, now: datetime) -> "BootFailures":
        """Continue the row, or begin a new one where the version is another."""
        count = self.count if self.template == instance.template else 0
        return BootFailures(count=count + 1, template=instance.template, last=instance.id, last_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setbacks:
    """What went wrong lately and stands in the way of the buffer."""

    launch: LaunchFailure | None = None
    """The newest launch that failed, while members are missing."""
    boots: BootFailures = field(default_factory=BootFailures)
