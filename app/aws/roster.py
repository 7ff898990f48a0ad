"""Who belongs to the group, and the group's figures."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from app.aws import entries, notices, translate
from app.aws.budget import DEBT, LOOK_DEBT
from app.aws.connection import Connection
from app.aws.entries import MEMBERS
from app.aws.memory import Memory
from app.aws.translate import Answer, Member
from app.domain.errors import Denied, GroupMissing
from app.domain.model import Group, Lifecycle, Notice

_NO_FIGURES = Group(desired=None, min_size=None, max_size=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """One complete reading: every member, and the figures where we may read them."""

    group: Group
    members: tuple[Member, ...]
    warm_pool: bool = False
    """Whether the group has instances that its own list leaves out."""
    notices: tuple[Notice, ...] = ()


class RosterReader:
    """Reads the roster of one group: with one call where it may, else from the account's whole list.

    DescribeAutoScalingGroups lists a group with all its members at once. Where that permission is missing,
    DescribeAutoScalingInstances lists the members of every group of the account, fifty a page, and no
    figures: see the Auto Scaling API reference.
    """

    def __init__(self, connection: Connection, group: str) -> None:
        self._aws = connection
        self._group = group
        self._blind: Notice | None = None
        self._entries = Memory(MEMBERS, lambda entry: translate.member(entries.member(entry)))

    def read(self, *, ask_again: bool, urgent: bool = False) -> Roster:
        """Return the roster; `ask_again` also tries the call that was denied before.

        A member that is as it was is the same object as before. An `urgent` look may go into debt, but not by
        the account's list: that one takes many calls.
        Raises GroupMissing where there is no such group, which only its own list can tell, and any other
        CloudError where a page cannot be read.
        """
        if self._blind is None or ask_again:
            try:
                roster = self._from_group(leaving=-LOOK_DEBT if urgent else 0.0)
            except Denied as denied:
                self._blind = notices.desired_unknown(self._group, denied)
            else:
                self._blind = None
                return roster
        return self._from_account(self._blind)

    def desired(self) -> int | None:
        """Read desired capacity as it is now; None where we may not. One call, and an urgent one.

        Remembers nothing: any thread may call this. Raises as `read` does.
        """
        if self._blind is not None:
            return None
        try:
            answer, _ = self._described(leaving=-DEBT, with_members=False)
        except Denied:
            return None
        return translate.group(answer).desired

    def _from_group(self, *, leaving: float) -> Roster:
        answer, members = self._described(leaving=leaving, with_members=True)
        return Roster(
            group=translate.group(answer),
            members=_present(members),
            warm_pool=translate.has_warm_pool(answer),
            notices=tuple(notices.hazards(answer)),
        )

    def _described(self, *, leaving: float, with_members: bool) -> tuple[Answer, Sequence[Member]]:
        """Return what AWS says of the group, and its members, where they are asked for.

        Raises GroupMissing where there is no such group.
        """
        groups: list[Answer] = []
        members: list[Member] = []
        with (
            self._aws.reading("autoscaling:DescribeAutoScalingGroups", leaving=leaving) as clients,
            self._entries.cutting_out() if with_members else nullcontext(),
        ):
            pages = clients.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
                AutoScalingGroupNames=[self._group], IncludeInstances=with_members
            )
            for page in pages:
                ours = [
                    one for one in page["AutoScalingGroups"] if one["AutoScalingGroupName"] == self._group
                ]
                groups += ours
                if ours and with_members:
                    members += self._entries.of(page)
                    members += (translate.member(one) for each in ours for one in each.get("Instances", []))
            if with_members:
                self._entries.age()
        if not groups:
            raise GroupMissing(f"There is no Auto Scaling group '{self._group}' in this account and region.")
        return groups[0], members

    def _from_account(self, blind: Notice) -> Roster:
        listed: list[Answer] = []
        with self._aws.reading("autoscaling:DescribeAutoScalingInstances") as clients:
            pages = clients.autoscaling.get_paginator("describe_auto_scaling_instances")
            for page in pages.paginate(PaginationConfig={"PageSize": 50}):
                listed += page["AutoScalingInstances"]
            members = [
                translate.member(one) for one in listed if one.get("AutoScalingGroupName") == self._group
            ]
        return Roster(group=_NO_FIGURES, members=_present(members), notices=(blind,))


def _present(members: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(member for member in members if member.lifecycle is not Lifecycle.ABSENT)
