"""AwsCloud: the Cloud port over boto3, bound to one Auto Scaling group."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from app.aws import activities, notices, translate
from app.aws.budget import DEBT, RESERVE
from app.aws.connection import Clients, Connection
from app.aws.details import Details
from app.aws.errors import ActivityInProgress, AtMinSize, InstanceGone
from app.aws.roster import RosterReader
from app.aws.translate import ALLOCATED_AT_TAG, PROJECT_TAG, AddressKind, Detail, Member
from app.domain.errors import AlreadyTagged, BudgetSpent, CloudError, Throttled
from app.domain.model import InstanceId, Notice, Observation, ProjectId, SeenInstance
from app.domain.setbacks import LaunchFailure
from app.ports import Clock, TerminateOutcome

_SAYS_HOW_IT_ENDS = (InstanceGone, AtMinSize, ActivityInProgress)
"""What AWS may answer to a termination where nothing is wrong."""

SWEEP_EVERY = timedelta(minutes=5)
"""How often EC2 is asked about every instance of the group, whatever is known already."""


class AwsCloud:
    """One pool's Auto Scaling group at AWS. One thread at a time may observe; the rest is free.

    At rest a look costs one call (DescribeAutoScalingGroups), and one more while a member is on its way in or
    out, while there is a stray, and at each sweep. Raising desired capacity and tagging cost two calls each:
    they read what they are about to write over. Nothing but CloudError is raised, and what `confirm` raises:
    it is called right before each change is sent, and returns where it may be.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        group: str,
        address: AddressKind,
        clock: Clock,
        confirm: Callable[[], None],
    ) -> None:
        self._aws = connection
        self._confirm = confirm
        self._group = group
        self._address = address
        self._clock = clock
        self._roster = RosterReader(connection, group)
        self._details = Details(connection, group, address)
        self._members: frozenset[InstanceId] | None = None
        self._joined: dict[InstanceId, tuple[Member, Detail | None, SeenInstance]] = {}
        self._swept_at: datetime | None = None

    def observe(self, account_for: Collection[InstanceId], *, urgent: bool = False) -> Observation:
        """Look at the group once; see the port for what is promised.

        Raises CloudError where the members cannot be listed. Where only EC2 cannot be asked, the observation
        is incomplete and says so in a notice, and whether AWS throttled us. Our own budget is no such sign,
        and soon has room again: it makes no notice.
        It takes a sweep to find a stray; and what was just launched may be taken for one in a single look
        (see Details).
        """
        now = self._clock.now()
        sweep = self._sweep_is_due(now)
        roster = self._roster.read(ask_again=sweep, urgent=urgent)
        self._members = frozenset(member.id for member in roster.members)
        outside = sorted(frozenset(account_for) - self._members)
        trouble: tuple[Notice, ...] = ()
        complete, throttled = True, False
        try:
            self._details.refresh(roster, outside, sweep=sweep)
        except CloudError as error:
            spent = isinstance(error, BudgetSpent)
            trouble = () if spent else (notices.details_unknown(error),)
            complete, throttled = False, isinstance(error, Throttled) and not spent
        else:
            self._swept_at = now if sweep else self._swept_at
        looks = self._seen(roster.members)
        looks += [
            translate.seen_outside(one, told)
            for one in sorted(self._details.strays.union(outside))
            if (told := self._details.of(one))
        ]
        return Observation(
            group=roster.group,
            instances={look.id: look for look in looks},
            complete=complete,
            notices=(*roster.notices, *trouble, *notices.without_address(looks, self._address)),
            throttled=throttled,
        )

    def raise_desired(self, target: int) -> bool:
        """Write desired capacity unless it is as high by now; a cooldown is not waited for. See the port.

        AWS knows no "only if it is lower": who raises it between this look and the write is still undone, but
        no other call of the pass stands between the two.
        """
        desired = self._roster.desired()
        if desired is not None and desired >= target:
            return False
        with self._changing("autoscaling:SetDesiredCapacity", leaving=-DEBT) as clients:
            clients.autoscaling.set_desired_capacity(
                AutoScalingGroupName=self._group, DesiredCapacity=target, HonorCooldown=False
            )
        return True

    def terminate(self, instance: InstanceId) -> TerminateOutcome:
        """End a member and lower desired capacity with it; see the port.

        AWS would end a member of any group by this call, so that only what the last look listed is sent.
        """
        if self._members is None:
            self.observe(())
        if instance not in (self._members or ()):
            return TerminateOutcome.ALREADY_GONE
        try:
            try:
                self._end(instance, decrement=True)
            except AtMinSize:
                self._end(instance, decrement=False)
        except InstanceGone:
            return TerminateOutcome.ALREADY_GONE
        except ActivityInProgress:
            return TerminateOutcome.BUSY
        return TerminateOutcome.ACCEPTED

    def protect(self, instances: Collection[InstanceId]) -> None:
        """Protect members from scale-in, all or none; at most 50 in a call. See the port."""
        if not instances:
            return
        with self._changing("autoscaling:SetInstanceProtection") as clients:
            clients.autoscaling.set_instance_protection(
                AutoScalingGroupName=self._group, InstanceIds=sorted(instances), ProtectedFromScaleIn=True
            )

    def launch_failures(self, since: datetime) -> Sequence[LaunchFailure]:
        """Return the group's launches that began since then and failed, the newest first, a hundred at most.

        AWS tells each only once it has given it up. One call; the second is the precision of `since`.
        """
        with self._aws.reading("autoscaling:DescribeScalingActivities", leaving=RESERVE) as clients:
            pages = clients.autoscaling.get_paginator("describe_scaling_activities").paginate(
                AutoScalingGroupName=self._group,
                Filters=[
                    {"Name": "StartTimeLowerBound", "Values": [_in_utc(since)]},
                    {"Name": "Status", "Values": activities.FAILED},
                ],
                PaginationConfig={"PageSize": activities.MOST, "MaxItems": activities.MOST},
            )
            return activities.launch_failures(one for page in pages for one in page["Activities"])

    def tag_allocation(self, instance: InstanceId, project: ProjectId, allocated_at: datetime) -> None:
        """Write on the instance who holds it, unless another name is there by now; see the port.

        The next look reads what is on it then.
        """
        told = self._details.now(instance)
        try:
            if told is not None and told.holder not in {None, project}:
                raise AlreadyTagged(f"'{told.holder}' is on {instance} by now: '{project}' is not written.")
            with self._changing("ec2:CreateTags") as clients:
                clients.ec2.create_tags(
                    Resources=[instance],
                    Tags=[
                        {"Key": PROJECT_TAG, "Value": project},
                        {"Key": ALLOCATED_AT_TAG, "Value": _in_utc(allocated_at, "milliseconds")},
                    ],
                )
        finally:
            self._details.outdate(instance)

    def _seen(self, members: Iterable[Member]) -> list[SeenInstance]:
        """Join what the group and EC2 say of each member; what is as it was is not joined anew."""
        before, self._joined = self._joined, {}
        for member in members:
            told, last = self._details.of(member.id), before.get(member.id)
            if last is None or last[0] is not member or last[1] is not told:
                last = member, told, translate.seen_member(member, told)
            self._joined[member.id] = last
        return [look for _, _, look in self._joined.values()]

    def _changing(self, action: str, *, leaving: float = RESERVE) -> AbstractContextManager[Clients]:
        return self._aws.changing(action, confirm=self._confirm, leaving=leaving)

    def _end(self, instance: InstanceId, *, decrement: bool) -> None:
        action, expecting = "autoscaling:TerminateInstanceInAutoScalingGroup", _SAYS_HOW_IT_ENDS
        with self._aws.changing(action, confirm=self._confirm, expecting=expecting) as clients:
            clients.autoscaling.terminate_instance_in_auto_scaling_group(
                InstanceId=instance, ShouldDecrementDesiredCapacity=decrement
            )

    def _sweep_is_due(self, now: datetime) -> bool:
        # A clock that was set back makes a sweep due as well, instead of putting it off.
        return self._swept_at is None or not timedelta() <= now - self._swept_at < SWEEP_EVERY


def _in_utc(moment: datetime, timespec: str = "seconds") -> str:
    return moment.astimezone(UTC).isoformat(timespec=timespec)
