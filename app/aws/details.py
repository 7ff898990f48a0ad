"""What EC2 says of the instances: asked once where nothing changes, asked again where something may have."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from app.aws import entries, translate
from app.aws.budget import RESERVE
from app.aws.connection import Connection
from app.aws.entries import RESERVATIONS
from app.aws.memory import Memory
from app.aws.roster import Roster
from app.aws.translate import AddressKind, Answer, Detail, Member
from app.domain.model import InstanceId, Lifecycle, Power

_CHUNK = 200
"""Values a filter may have, as commonly quoted; the API reference names no number."""

_Details = tuple[tuple[InstanceId, Detail], ...]

_EXISTING = frozenset({Power.PENDING, Power.RUNNING, Power.STOPPED})


class Details:
    """Remembers the details of members that have settled, and looks up all others at each refresh.

    A member has settled when it is in service, healthy, running and has its address; nothing of that changes
    without showing in the group's list, or at the next sweep. Only a tag that somebody else writes on it is
    seen no sooner than that. Looked up by the filter `instance-id` and not by the parameter, because one id
    that EC2 does not know makes the latter fail as a whole.

    A sweep asks for all instances with the tag that AWS gives a group's instances, and so finds strays: those
    that have it, exist, and are no members. They are looked up at each refresh from then on, until they are
    terminated or members. One that was launched between the group's answer and EC2's in the same look is
    taken for a stray once; the next look has it as a member. Where the group has a warm pool, nothing is
    called a stray: the instances of the pool have the tag, too, and are not in the group's list.
    """

    def __init__(self, connection: Connection, group: str, address: AddressKind) -> None:
        self._aws = connection
        self._group = group
        self._address = address
        self._entries = self._new_memory()
        self._known: dict[InstanceId, Detail] = {}
        self._strays: frozenset[InstanceId] = frozenset()
        self._outdated: deque[InstanceId] = deque()

    @property
    def strays(self) -> frozenset[InstanceId]:
        """Name the strays that EC2 has shown to exist at this refresh."""
        return frozenset(
            one for one in self._strays if (known := self._known.get(one)) and known.power in _EXISTING
        )

    def of(self, instance: InstanceId) -> Detail | None:
        """Tell what is known of an instance; None where EC2 was not asked, or does not list it."""
        return self._known.get(instance)

    def now(self, instance: InstanceId) -> Detail | None:
        """Ask EC2 about one instance, whatever is known of it; None where it does not list it. One call.

        It leaves what a change leaves, because one follows. Remembers nothing: any thread may call this.
        Raises CloudError where EC2 could not be asked.
        """
        found = self._described("instance-id", [instance], memory=self._new_memory(), leaving=RESERVE)
        return found.get(instance)

    def outdate(self, instance: InstanceId) -> None:
        """Look an instance up at the next refresh: something was written on it. Any thread may call this."""
        self._outdated.append(instance)

    def refresh(self, roster: Roster, outside: Collection[InstanceId], *, sweep: bool) -> None:
        """Bring the details up to date: of unsettled members, strays and `outside`, in a `sweep` of all.

        Raises CloudError where EC2 could not be asked for all of them. What was known then stays, but nothing
        that has to be looked up again is still said to be running.
        """
        listed = frozenset(member.id for member in roster.members)
        self._strays = frozenset() if roster.warm_pool else self._strays - listed
        around = listed | self._strays
        self._known = {one: known for one, known in self._known.items() if one in around}
        self._doubt(self._take_outdated())
        wanted = [*(member.id for member in roster.members if not self._settled(member)), *self._strays]
        self._doubt(wanted)
        if sweep:
            self._known = swept = self._in_group()
            self._entries.age()
            wanted = [one for one in listed if one not in swept]
            if not roster.warm_pool:
                self._strays = frozenset(swept.keys() - listed)
        self._look_up([*wanted, *(one for one in outside if one not in self._known)])
        self._strays = self.strays

    def _take_outdated(self) -> Iterator[InstanceId]:
        while self._outdated:
            yield self._outdated.popleft()

    def _doubt(self, instances: Iterable[InstanceId]) -> None:
        for one in instances:
            if one in self._known:
                self._known[one] = replace(self._known[one], power=Power.UNKNOWN)

    def _settled(self, member: Member) -> bool:
        known = self._known.get(member.id)
        return (
            known is not None
            and member.lifecycle is Lifecycle.IN_SERVICE
            and member.healthy
            and known.power is Power.RUNNING
            and known.address is not None
        )

    def _in_group(self) -> dict[InstanceId, Detail]:
        return self._described("tag:aws:autoscaling:groupName", [self._group], memory=self._entries)

    def _look_up(self, wanted: Sequence[InstanceId]) -> None:
        for chunk in _chunks(wanted):
            found = self._described("instance-id", chunk, memory=self._entries)
            for one in chunk:
                self._known.pop(one, None)
            self._known |= found

    def _described(
        self, name: str, values: Sequence[str], *, memory: Memory[_Details], leaving: float = 0.0
    ) -> dict[InstanceId, Detail]:
        found: dict[InstanceId, Detail] = {}
        with (
            self._aws.reading("ec2:DescribeInstances", leaving=leaving) as clients,
            memory.cutting_out(),
        ):
            pages = clients.ec2.get_paginator("describe_instances").paginate(
                Filters=[{"Name": name, "Values": values}], PaginationConfig={"PageSize": 1000}
            )
            for page in pages:
                for details in memory.of(page):
                    found.update(details)
                for reservation in page["Reservations"]:
                    found.update(self._translated(reservation.get("Instances", [])))
        return found

    def _new_memory(self) -> Memory[_Details]:
        return Memory(RESERVATIONS, lambda entry: tuple(self._translated(entries.instances(entry))))

    def _translated(self, answers: Iterable[Answer]) -> Iterator[tuple[InstanceId, Detail]]:
        for answer in answers:
            yield InstanceId(answer["InstanceId"]), translate.detail(answer, self._address)


def _chunks(wanted: Sequence[InstanceId]) -> Iterator[Sequence[InstanceId]]:
    for start in range(0, len(wanted), _CHUNK):
        yield wanted[start : start + _CHUNK]
