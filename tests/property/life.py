"""What may happen to an allocation, from the line to its end: rules for the pool's machine."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.domain.activity import Heartbeat
from app.domain.errors import AllocationNotFound, HoldTooLate, PoolExhausted
from app.domain.events import Event, EventKind
from app.domain.model import DEFAULT_POOL, EndReason, Instance, InstanceId, InstanceState, ProjectId
from app.registry.line import SqlLine
from app.registry.sql import SqlRegistry
from app.service.allocation import Allocator
from tests.fakes import FakeClock, FakeCloud

PROJECTS = st.sampled_from([ProjectId(name) for name in ("alice", "bob", "carol", "dave", "erin")])
TTLS = st.none() | st.sampled_from([5, 60, 600]).map(lambda seconds: timedelta(seconds=seconds))
IDLE_TIMEOUT = timedelta(seconds=240)
NOTICE = timedelta(seconds=1)
"""So long before an end that comes by itself it is announced at least, also the shortest."""
UNUSED = "nobody has used it"
"""How an announcement begins that is not of a time limit."""
ANNOUNCED = {EndReason.EXPIRED.value, EndReason.UNUSED.value}


class Hearts:
    """When the instances were used, as they tell it: by clocks of their own, which are an hour ahead."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._used_at: dict[InstanceId, datetime] = {}
        self.dumb: set[InstanceId] = set()
        """Those that tell nothing, or no sense."""

    def use(self, instance: InstanceId) -> None:
        self._used_at[instance] = self._clock.now()

    def used_at(self, instance: InstanceId) -> datetime | None:
        return self._used_at.get(instance)

    def read(self, targets: Mapping[InstanceId, tuple[str, int]]) -> Mapping[InstanceId, Heartbeat]:
        return {one: self._heartbeat(one) for one in targets if one not in self.dumb}

    def _heartbeat(self, instance: InstanceId) -> Heartbeat:
        used_at = self._used_at.get(instance)
        last = 0 if used_at is None else _milliseconds(used_at)
        return Heartbeat(last=last, now=_milliseconds(self._clock.now()))


def _milliseconds(at: datetime) -> int:
    return round((at + timedelta(hours=1)).timestamp() * 1000)


class Life(RuleBasedStateMachine):
    """Rules and invariants that a pool's machine inherits."""

    registry: SqlRegistry
    line: SqlLine
    allocator: Allocator
    clock: FakeClock
    cloud: FakeCloud
    hearts: Hearts
    handed_out: dict[InstanceId, ProjectId]
    harmed_by_others: set[InstanceId]

    def __init__(self) -> None:
        super().__init__()
        self.limits: dict[InstanceId, datetime | None] = {}
        """When each allocation is to end, as the project was told last."""
        self.to_confirm: dict[InstanceId, datetime] = {}
        """By when each is to be confirmed, as the project was told, and has not been."""
        self.holds = self.waits = self.hang_ups = 0

    def forget_limits(self) -> None:
        """They stand in the database alone."""
        self.limits = dict.fromkeys(self.limits)
        self.to_confirm.clear()

    def was_given(self, instance: InstanceId, project: ProjectId) -> None:
        """Note, and check, what a claim has just made."""
        raise NotImplementedError

    @rule(project=PROJECTS, wait=st.sampled_from([1, 5]), hangs_up_after=st.none() | st.sampled_from([0, 2]))
    def wait_in_line(self, project: ProjectId, wait: int, hangs_up_after: int | None) -> None:
        """Passes go on meanwhile. Who hangs up leaves neither an allocation, nor a place, nor demand."""
        held = [one.id for one in self._known() if _holds(one, project)]
        end = None if hangs_up_after is None else self.clock.now() + timedelta(seconds=hangs_up_after)
        gone_at: list[datetime] = []

        def gone() -> bool:
            if end is not None and self.clock.now() >= end:
                gone_at.append(self.clock.now())
            return bool(gone_at)

        self.waits += 1
        try:
            claimed = self.allocator.allocate(
                project, actor="tester", wait=timedelta(seconds=wait), gone=gone
            )
        except PoolExhausted:
            assert self.line.look(DEFAULT_POOL, {}, ready_since=self.clock.now()).ahead == {}
            if gone_at:
                self.hang_ups += 1
                assert not any(_holds(one, project) for one in self._known() if one.id not in held)
            return
        if claimed.created:
            self.was_given(claimed.allocation.instance, project)
            self.limits[claimed.allocation.instance] = None

    @rule(project=PROJECTS)
    def confirm(self, project: ProjectId) -> None:
        with suppress(AllocationNotFound):
            confirmed = self.allocator.confirm(project, actor="tester")
            assert confirmed.confirm_by is None
            self.to_confirm.pop(confirmed.instance, None)

    @rule(project=PROJECTS)
    def use(self, project: ProjectId) -> None:
        for one in self._known():
            if _holds(one, project):
                self.hearts.use(one.id)

    @rule(data=st.data())
    def change_who_tells_of_use(self, data: st.DataObject) -> None:
        used = sorted(one.id for one in self._known() if one.state is InstanceState.ALLOCATED)
        self.hearts.dumb = set(data.draw(st.sets(st.sampled_from(used)))) if used else set()

    @rule(project=PROJECTS)
    def release(self, project: ProjectId) -> None:
        held = [one.id for one in self._known() if _holds(one, project)]
        try:
            assert [self.allocator.release(project, actor="tester").instance] == held
        except AllocationNotFound:
            assert not held

    @rule(project=PROJECTS, ttl=TTLS)
    def renew(self, project: ProjectId, ttl: timedelta | None) -> None:
        with suppress(AllocationNotFound):
            renewed = self.allocator.renew(project, ttl, actor="tester")
            self.limits[renewed.instance] = renewed.expires_at
            self.to_confirm.pop(renewed.instance, None)

    @rule(data=st.data(), ttl=TTLS)
    def hold(self, data: st.DataObject, ttl: timedelta | None) -> None:
        known = sorted(one.id for one in self._known())
        if known:
            with suppress(HoldTooLate):
                self.allocator.hold(data.draw(st.sampled_from(known)), actor="tester", ttl=ttl)
                self.holds += 1

    @rule(project=PROJECTS, ttl=TTLS)
    def hold_what_a_project_has_and_release_it(self, project: ProjectId, ttl: timedelta | None) -> None:
        for one in self._known():
            if _holds(one, project):
                self.allocator.hold(one.id, actor="tester", ttl=ttl)
                self.release(project)

    @rule(data=st.data())
    def unhold(self, data: st.DataObject) -> None:
        held = sorted(one.id for one in self._known() if one.held)
        if held:
            self.allocator.unhold(data.draw(st.sampled_from(held)), actor="tester")

    def end_all_holds(self) -> None:
        for one in self._known():
            if one.held:
                self.allocator.unhold(one.id, actor="tester")

    @invariant()
    def an_allocation_ends_once_and_not_before_its_time(self) -> None:
        ended = [line for line in self.registry.events(limit=500) if line.kind is EventKind.ALLOCATION_ENDED]
        assert len({line.instance for line in ended}) == len(ended)
        for line in ended:
            assert line.instance is not None
            if line.reason == EndReason.EXPIRED:
                limit = self.limits[line.instance]
                assert limit is not None
                assert limit <= line.at
            elif line.reason == EndReason.UNCONFIRMED:
                assert self.to_confirm[line.instance] <= line.at
            elif line.reason == EndReason.UNUSED:
                used_at = self.hearts.used_at(line.instance)
                assert used_at is not None, "it ended for lack of use, and was never used"
                assert line.at - used_at >= IDLE_TIMEOUT - NOTICE

    @invariant()
    def what_ends_by_itself_was_announced(self) -> None:
        announced: dict[tuple[InstanceId | None, bool], Event] = {}
        for line in reversed(list(self.registry.events(limit=5000))):
            if line.kind is EventKind.ALLOCATION_EXPIRING:
                announced[line.instance, str(line.reason).startswith(UNUSED)] = line
            elif line.kind is EventKind.ALLOCATION_ENDED and line.reason in ANNOUNCED:
                told = announced.get((line.instance, line.reason == EndReason.UNUSED))
                assert told is not None, f"{line} was not announced"
                assert line.at - told.at >= NOTICE, f"{line} came right after {told}"

    @invariant()
    def what_was_in_use_and_is_held_runs_on_unless_others_ended_it(self) -> None:
        used = {InstanceState.ALLOCATED, InstanceState.TERMINATING}
        for one in self._known():
            if one.held and one.state in used and one.id in self.handed_out:
                assert one.id in self.cloud.members or one.id in self.harmed_by_others

    def _known(self) -> list[Instance]:
        return list(self.registry.instances(DEFAULT_POOL).values())


def _holds(instance: Instance, project: ProjectId) -> bool:
    return instance.state is InstanceState.ALLOCATED and instance.project == project
