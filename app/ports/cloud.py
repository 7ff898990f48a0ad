"""The truth about what exists."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from app.domain.finding import Finding
from app.domain.model import InstanceId, Observation, ProjectId
from app.domain.setbacks import LaunchFailure


class TerminateOutcome(StrEnum):
    """What AWS said to a terminate call that it understood."""

    ACCEPTED = "accepted"
    ALREADY_GONE = "already-gone"
    """The group has no such member: it has left already."""
    BUSY = "busy"
    """Another activity on the instance is in progress (it may be this very termination): look again."""


class Cloud(Protocol):
    """The truth about what exists: one pool's Auto Scaling group, and EC2.

    Reads may be retried inside, changes never are. Every method may raise any CloudError, and returns within
    the timeouts of the gateway; none of them raises anything else.
    """

    def observe(self, account_for: Collection[InstanceId], *, urgent: bool = False) -> Observation:
        """Look at the group once: its figures and every member.

        Instances in `account_for` that are not members are looked up in EC2 by id, so that the observation
        tells `terminated` from `not listed anywhere`; `complete` says whether all of this could be read.
        Strays, which EC2 has as the group's own and the group does not list, appear too: not as members, and
        no longer once they are terminated. Members of other groups never appear. An `urgent` look is taken
        where our own budget would make others wait. Raises GroupMissing where there is no such group.
        """
        ...

    def raise_desired(self, target: int) -> bool:
        """Write desired capacity, unless it is as high by now: another look, right before the write, says so.

        The caller has seen, in this same pass, that it is lower. False, and no change, where it is `target`
        or more by now. Where desired cannot be read, it is written in any case. Raises AboveMax where the
        group's max size forbids it; OutcomeUnknown where the answer to the write was lost.
        """
        ...

    def terminate(self, instance: InstanceId) -> TerminateOutcome:
        """End a member of the group for good, and lower desired capacity by one with it.

        At the group's min size desired stays, and AWS launches a replacement. OutcomeUnknown where the answer
        was lost: the termination may have happened.
        """
        ...

    def protect(self, instances: Collection[InstanceId]) -> None:
        """Protect members from scale-in, all of them or none; at most 50 in a call.

        For members that are in service: AWS refuses the others, and with them the whole call.
        """
        ...

    def launch_failures(self, since: datetime) -> Sequence[LaunchFailure]:
        """Return what the group failed to launch since then, the newest first."""
        ...

    def tag_allocation(self, instance: InstanceId, project: ProjectId, allocated_at: datetime) -> None:
        """Write on the instance who holds it, and since when, unless somebody else is named there by now.

        The tags are `ec2-orchestrator:project` and `ec2-orchestrator:allocated-at` (ISO 8601, UTC). They are
        read right before they are written: AlreadyTagged, and no change, where they name another project.
        An empty name is nobody's.
        """
        ...


class Preflight(Protocol):
    """Examines how AWS is set up for us: credentials, group, permissions, clock."""

    def examine(self, buffer: int) -> Sequence[Finding]:
        """Tell of each thing that must be right whether it is. Changes nothing.

        Raises nothing but NotLeading and RegistryUnavailable, where this replica may not even try.
        """
        ...
