"""What may happen to an allocation, and to an instance that is held: rules for the pool's machine."""

from contextlib import suppress
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.domain.errors import AllocationNotFound, HoldTooLate
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, Instance, InstanceId, InstanceState, ProjectId
from app.registry.sql import SqlRegistry
from app.service.allocation import Allocator
from tests.fakes import FakeClock, FakeCloud

PROJECTS = st.sampled_from([ProjectId(name) for name in ("alice", "bob", "carol", "dave", "erin")])
TTLS = st.none() | st.sampled_from([5, 60, 600]).map(lambda seconds: timedelta(seconds=seconds))


class Life(RuleBasedStateMachine):
    """Rules and invariants that a pool's machine inherits."""

    registry: SqlRegistry
    allocator: Allocator
    clock: FakeClock
    cloud: FakeCloud
    handed_out: dict[InstanceId, ProjectId]
    harmed_by_others: set[InstanceId]

    def __init__(self) -> None:
        super().__init__()
        self.limits: dict[InstanceId, datetime | None] = {}
        """When each allocation is to end, as the project was told last."""
        self.holds = 0

    def forget_limits(self) -> None:
        """They stand in the database alone."""
        self.limits = dict.fromkeys(self.limits)

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
            if line.reason == "expired":
                assert line.instance is not None
                limit = self.limits[line.instance]
                assert limit is not None
                assert limit <= line.at

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
