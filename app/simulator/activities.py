"""The scaling activities of a group: what DescribeScalingActivities tells."""

import json
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from app.simulator.clock import utc_now

Status = Literal["InProgress", "Successful", "Failed", "Cancelled"]

KEPT = 5000
"""AWS keeps six weeks; a simulated group keeps this many."""


@dataclass(slots=True)
class Activity:
    """One entry of a group's history, open until it is finished."""

    group: str
    description: str
    cause: str
    details: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime = field(default_factory=utc_now)
    status: Status = "InProgress"
    message: str | None = None
    ended: datetime | None = None

    def finish(self, status: Status, message: str | None = None) -> None:
        """Close the entry; the message is what AWS calls StatusMessage."""
        self.status, self.message, self.ended = status, message, utc_now()

    def as_aws(self) -> dict[str, Any]:
        """Render the entry in the names of the Auto Scaling API."""
        return {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": self.started,
            "EndTime": self.ended,
            "StatusCode": self.status,
            "StatusMessage": self.message,
            "Progress": 100 if self.ended else 50,
            "Details": json.dumps(self.details),
        }


class History:
    """The activities of one group, newest first."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._entries: deque[Activity] = deque(maxlen=KEPT)

    def __iter__(self) -> Iterator[Activity]:
        return iter(tuple(self._entries))

    def open(self, description: str, cause: str, details: dict[str, str] | None = None) -> Activity:
        """Begin an activity; it is InProgress until its finish() is called."""
        activity = Activity(self._group, description, cause, details or {})
        self._entries.appendleft(activity)
        return activity

    def running(self) -> bool:
        """Tell whether anything is in progress."""
        return any(entry.status == "InProgress" for entry in self._entries)
