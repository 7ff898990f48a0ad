"""A whole pool as a state machine: passes, claims, an AWS that misbehaves, and a process that dies anywhere.

Whatever happened before, once AWS behaves again the pool must come to rest with its buffer full.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from app.domain.controls import Change
from app.domain.errors import PoolExhausted
from app.domain.events import EventKind
from app.domain.messages import OF_EVENT
from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    Lifecycle,
    Policy,
    ProjectId,
)
from app.registry.schema import outbox
from app.service.allocation import LOOKED_WITHIN
from tests.fakes import FakeCloud
from tests.property.life import PROJECTS, TTLS, Life
from tests.property.others import Others
from tests.property.running import BUFFER, Running

CHANGES = frozenset({"raise_desired", "terminate", "protect", "tag_allocation"})
QUIET_PASSES = 120
AT_REST = 4
"""Passes without anything to do: a member that was killed takes three to be replaced, and nobody tells us."""


class PoolMachine(Life, Running, Others):
    """One pool, and everybody who does something to it."""

    steps = 0
    """Of all runs together."""

    def __init__(self) -> None:
        super().__init__()
        self.handed_out: dict[InstanceId, ProjectId] = {}
        self.picture_is_old = False

    @initialize(
        desired=st.integers(0, 5),
        min_size=st.sampled_from([0, 0, 2]),
        max_size=st.sampled_from([6, 8, 100]),
        passes=st.sampled_from([0, 4]),
        protect_new=st.booleans(),
    )
    def begin(
        self, desired: int, min_size: int, max_size: int, passes: int, *, protect_new: bool = True
    ) -> None:
        self.open_database()
        self.cloud = FakeCloud(
            desired=max(desired, min_size),
            min_size=min_size,
            max_size=max_size,
            protect_new=protect_new,
            clock=self.clock,
        )
        self.restart()
        self.run_passes(passes, pause=2)

    def teardown(self) -> None:
        if not hasattr(self, "cloud"):
            return
        try:
            self.come_to_rest()
            self._every_event_has_its_message()
            for line in self.registry.events(limit=500):
                if line.kind is EventKind.ALLOCATION_ENDED:
                    event(f"ended: {line.reason}")
            event(f"crashes: {min(self.crashes, 5)}")
            event(f"databases lost: {min(self.databases_lost, 5)}")
            event(f"holds: {min(self.holds, 5)}")
            event(f"waits: {min(self.waits, 5)}, hang-ups: {min(self.hang_ups, 5)}")
        finally:
            self.close()

    # Users

    def _is_over(self, one: Instance) -> bool:
        now = self.clock.now()
        return any(at is not None and at <= now for at in (one.expires_at, one.confirm_by))

    @rule(projects=st.lists(PROJECTS, min_size=1, max_size=3), ttl=TTLS, confirm_within=TTLS)
    def claim_several(
        self, projects: list[ProjectId], ttl: timedelta | None, confirm_within: timedelta | None
    ) -> None:
        for project in projects:
            self.claim(project, ttl, confirm_within)

    @rule(
        projects=st.lists(PROJECTS, min_size=1, max_size=2, unique=True),
        ttl=TTLS,
        confirm_within=TTLS,
        used=st.booleans(),
        minutes=st.sampled_from([1, 5, 11]),
    )
    def claim_and_forget(
        self,
        projects: list[ProjectId],
        ttl: timedelta | None,
        confirm_within: timedelta | None,
        *,
        used: bool,
        minutes: int,
    ) -> None:
        """Take some, use them or not, and leave them to themselves."""
        for project in projects:
            self.claim(project, ttl, confirm_within)
        self.run_passes(2, pause=3)
        for project in projects if used else []:
            self.use(project)
        self.be_left_alone(minutes)

    def claim(
        self, project: ProjectId, ttl: timedelta | None = None, confirm_within: timedelta | None = None
    ) -> None:
        mine = [one for one in self._in(InstanceState.ALLOCATED) if one.project == project]
        # One whose time is over ends before anybody starts on it anew, though no leader has found it yet.
        sure = [one.id for one in mine if one.held or not self._is_over(one)]
        idle = [one.id for one in self._in(InstanceState.IDLE) if not one.held]
        try:
            claimed = self.allocator.allocate(project, actor="tester", ttl=ttl, confirm_within=confirm_within)
        except PoolExhausted:
            assert not sure
            seen_at = self.registry.view(DEFAULT_POOL).last_pass_at
            blind = seen_at is None or self.clock.now() - seen_at > LOOKED_WITHIN
            assert not idle or self.prober.ready is not None or blind
            return
        instance = claimed.allocation.instance
        assert not (claimed.created and sure)
        if claimed.created:
            assert instance in idle
            self.was_given(instance, project)
            if claimed.allocation.confirm_by is not None:
                self.to_confirm[instance] = claimed.allocation.confirm_by
        else:
            assert [instance] == [one.id for one in mine]
        self.limits[instance] = claimed.allocation.expires_at

    def was_given(self, instance: InstanceId, project: ProjectId) -> None:
        assert instance not in self.handed_out
        self._check_protection(instance)
        self.handed_out[instance] = project

    def _check_protection(self, instance: InstanceId) -> None:
        look = self.cloud.look(instance)
        if look is None or look.lifecycle is not Lifecycle.IN_SERVICE:
            self.harmed_by_others.add(instance)  # since our last look: it was on its way out already
        elif not look.protected:
            assert self.protection_denied, "handed out without protection"
            self.harmed_by_others.add(instance)  # whoever lowers desired may end it

    @rule(data=st.data())
    def destroy(self, data: st.DataObject) -> None:
        known = sorted(self.registry.instances(DEFAULT_POOL))
        if known:
            doomed = data.draw(st.sampled_from(known))
            self.registry.destroy(doomed, actor="tester", now=self.clock.now())

    # What always holds

    @invariant()
    def a_step_is_counted(self) -> None:
        PoolMachine.steps += 1

    @invariant()
    def one_project_to_one_instance(self) -> None:
        held = [one for one in self._in(InstanceState.ALLOCATED) if one.project is not None]
        assert len({one.project for one in held}) == len(held)
        for one in held:
            assert one.id in self.handed_out or one.id in self.tagged_by_others
            assert self.handed_out.get(one.id, one.project) == one.project

    @invariant()
    def what_a_project_holds_runs_unless_others_ended_it(self) -> None:
        for one in self._in(InstanceState.ALLOCATED):
            if one.id not in self.harmed_by_others:
                assert one.id in self.cloud.members

    @invariant()
    def an_allocation_is_lost_only_where_others_ended_the_instance(self) -> None:
        for line in self.registry.events(limit=50):
            if line.kind == "allocation.lost":
                assert line.instance in self.harmed_by_others

    def _in(self, state: InstanceState) -> list[Instance]:
        return [one for one in self.registry.instances(DEFAULT_POOL).values() if one.state is state]

    def judge(self, operation: str, arguments: tuple[Any, ...]) -> None:
        """Judge each of our calls by what is true at the moment when it is made."""
        if operation in CHANGES:
            assert not self.controls.controls(DEFAULT_POOL).paused, "a paused pool changed something at AWS"
        if operation == "terminate":
            doomed = self.registry.instances(DEFAULT_POOL)[arguments[0]]
            assert doomed.state is InstanceState.TERMINATING
            assert not doomed.held
            assert doomed.end_reason not in {EndReason.LEFT, EndReason.VANISHED, None}
            assert not doomed.end_reason.unready or doomed.id not in self.handed_out
        elif operation == "observe":
            self.picture_is_old = self.cloud.lagging
        elif operation == "raise_desired" and not self.picture_is_old and self.cloud.figures_readable:
            assert arguments[0] > self.cloud.desired, "desired capacity was not raised"

    # The end

    def come_to_rest(self) -> None:
        """Let AWS behave, give it time, and find the pool whole."""
        self._calm()
        self.tell(Change(paused=False))
        self.end_all_holds()
        quiet = 0
        for _ in range(QUIET_PASSES):
            changed = self.lead()
            self.clock.advance(10)
            quiet = 0 if changed else quiet + 1
            if quiet == AT_REST:
                break
        else:
            raise AssertionError("the pool does not come to rest")
        view = self.registry.view(DEFAULT_POOL)
        idle, held = len(self._in(InstanceState.IDLE)), len(self._in(InstanceState.ALLOCATED))
        buffer = self.controls.controls(DEFAULT_POOL).over(Policy(buffer=BUFFER)).buffer
        assert idle >= buffer or view.limited_by is not None
        given_up = sum(notice.code == "back-from-the-dead" for notice in view.notices)
        assert idle + held + given_up == len(self.cloud.members)
        for project in {one.project for one in self._in(InstanceState.ALLOCATED)}:
            if project is not None:
                assert not self.allocator.allocate(project, actor="tester").created

    def _every_event_has_its_message(self) -> None:
        with self.transactions.looking() as tx:
            written = list(tx.execute(select(outbox.c.kind).order_by(outbox.c.id)).scalars())
        trail = list(self.registry.events(limit=10_000))[::-1]
        assert written == [OF_EVENT[line.kind] for line in trail if line.kind in OF_EVENT]

    def _calm(self) -> None:
        self.cloud.recover()
        self.cloud.run_out(None)
        self.cloud.figures_readable = self.cloud.group_exists = True
        self.cloud.boot_looks = 1
        self.cloud.set_desired(self.cloud.desired)
        self.cloud.boot()
        self.prober.ready = self.prober.opening = None
        self.clock.advance(60)  # whoever waits gives up


def test_a_pool_survives_whatever_happens_to_it() -> None:
    run_state_machine_as_test(PoolMachine, settings=settings())
    print(f"{PoolMachine.steps} steps")  # noqa: T201 - how long it looked, with -s


@pytest.fixture
def machine() -> Iterator[PoolMachine]:
    """The same pool, for the cases that have a name."""
    made = PoolMachine()
    made.begin(desired=0, min_size=0, max_size=100, passes=0)
    yield made
    made.close()


def test_a_member_that_was_given_up_and_is_listed_again_leaves_the_pool_at_rest(
    machine: PoolMachine,
) -> None:
    machine.run_passes(4, pause=2)
    machine.cloud.overlook(machine.cloud.members[0], looks=2)
    machine.run_passes(2, pause=10)

    machine.come_to_rest()


def test_an_old_picture_of_the_group_does_not_undo_our_own_raise(machine: PoolMachine) -> None:
    machine.claim(ProjectId("alice"))
    machine.clock.advance(29)
    machine.run_passes(1, pause=2)  # and now she has given up
    raised_to = machine.cloud.desired
    machine.cloud.lag()

    machine.run_passes(1, pause=2)

    assert machine.cloud.desired == raised_to
