"""A whole pool as a state machine: passes, claims, an AWS that misbehaves, and a process that dies anywhere.

Whatever happened before, once AWS behaves again the pool must come to rest with its buffer full.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from app.domain.errors import CloudUnavailable, Contention, OutcomeUnknown, PoolExhausted, Throttled
from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    Policy,
    ProjectId,
)
from app.ports import Cloud, Registry
from app.registry.sql import SqlRegistry
from app.service.reconcile import Reconciler
from tests.fakes import FakeClock, FakeCloud, FakeProber
from tests.property.quick_database import open_quickly

PROJECTS = st.sampled_from([ProjectId(name) for name in ("alice", "bob", "carol", "dave", "erin")])
OPERATIONS = st.sampled_from(["observe", "raise_desired", "terminate", "tag_allocation"])
REFUSALS = st.sampled_from([Throttled("slow down"), Contention("busy"), CloudUnavailable("no answer")])
BUFFER = 3
QUIET_PASSES = 120
AT_REST = 4
"""Passes without anything to do: a member that was killed takes three to be replaced, and nobody tells us."""


class Crash(Exception):
    """The process ends here, as far as the test is concerned."""


class Fuse:
    """Burns down by one at each use of a port, before and after it, and then ends the process."""

    def __init__(self) -> None:
        self.left: int | None = None

    def burn(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Crash


class Fused:
    """A port that the process may die in front of, or behind. What was done stays done."""

    def __init__(
        self, port: object, fuse: Fuse, watch: Callable[[str, tuple[Any, ...]], None] | None = None
    ) -> None:
        self._port = port
        self._fuse = fuse
        self._watch = watch

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._fuse.burn()
            if self._watch is not None:
                self._watch(name, arguments)
            answer = method(*arguments, **named)
            self._fuse.burn()
            return answer

        return call


class PoolMachine(RuleBasedStateMachine):
    """One pool, and everybody who does something to it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="pool-"))
        self.clock = FakeClock()
        self.prober = FakeProber()
        self.fuse = Fuse()
        self.handed_out: dict[InstanceId, ProjectId] = {}
        self.harmed_by_others: set[InstanceId] = set()
        self.picture_is_old = False
        self.crashes = 0

    @initialize(
        desired=st.integers(0, 5),
        min_size=st.sampled_from([0, 0, 2]),
        max_size=st.sampled_from([6, 8, 100]),
        passes=st.sampled_from([0, 4]),
    )
    def begin(self, desired: int, min_size: int, max_size: int, passes: int) -> None:
        self.registry = SqlRegistry(open_quickly(self.folder))
        self.cloud = FakeCloud(
            desired=max(desired, min_size), min_size=min_size, max_size=max_size, clock=self.clock
        )
        self.restart()
        self.run_passes(passes, pause=2)

    def teardown(self) -> None:
        if not hasattr(self, "cloud"):
            return
        try:
            self.come_to_rest()
            event(f"crashes: {min(self.crashes, 5)}")
        finally:
            self.registry.close()
            shutil.rmtree(self.folder)

    # We

    @rule()
    def restart(self) -> None:
        """Begin anew: nothing but the registry and AWS remembers anything."""
        self.reconciler = Reconciler(
            policy=Policy(buffer=BUFFER),
            registry=cast("Registry", Fused(self.registry, self.fuse)),
            cloud=cast("Cloud", Fused(self.cloud, self.fuse, self._watch_cloud)),
            prober=self.prober,
            clock=self.clock,
        )

    @rule(times=st.integers(1, 3), pause=st.sampled_from([1, 2, 10]))
    def run_passes(self, times: int, pause: int) -> None:
        for _ in range(times):
            self.reconciler.tick()
            self.reconciler.settle_boots()
            self.clock.advance(pause)

    @rule()
    def run_a_pass_whose_boots_are_settled_later(self) -> None:
        self.reconciler.tick()

    @rule()
    def settle_boots(self) -> None:
        self.reconciler.settle_boots()

    @rule(after=st.integers(0, 30))
    def crash_in_a_pass(self, after: int) -> None:
        self.fuse.left = after
        try:
            self.reconciler.tick()
            self.reconciler.settle_boots()
        except Crash:
            self.crashes += 1
            self.restart()
        finally:
            self.fuse.left = None
        self.clock.advance(2)

    # Users

    @rule(projects=st.lists(PROJECTS, min_size=1, max_size=3))
    def claim_several(self, projects: list[ProjectId]) -> None:
        for project in projects:
            self.claim(project)

    def claim(self, project: ProjectId) -> None:
        held = [one.id for one in self._in(InstanceState.ALLOCATED) if one.project == project]
        idle = [one.id for one in self._in(InstanceState.IDLE)]
        try:
            claimed = self.registry.claim(DEFAULT_POOL, project, actor="tester", now=self.clock.now())
        except PoolExhausted:
            assert not held
            assert not idle
            return
        instance = claimed.allocation.instance
        assert claimed.created is not bool(held)
        if held:
            assert [instance] == held
        else:
            assert instance in idle
            assert instance not in self.handed_out
            self.handed_out[instance] = project

    @rule(project=PROJECTS)
    def release(self, project: ProjectId) -> None:
        for one in self._in(InstanceState.ALLOCATED):
            if one.project == project:
                self.registry.destroy(one.id, actor="tester", now=self.clock.now())

    @rule(data=st.data())
    def destroy(self, data: st.DataObject) -> None:
        known = sorted(self.registry.instances(DEFAULT_POOL))
        if known:
            doomed = data.draw(st.sampled_from(known))
            self.registry.destroy(doomed, actor="tester", now=self.clock.now())

    # AWS, and others who act on it

    @rule(data=st.data())
    def lose_a_member(self, data: st.DataObject) -> None:
        if self.cloud.members:
            victim = data.draw(st.sampled_from(self.cloud.members))
            self.harmed_by_others.add(victim)
            self.cloud.kill(victim)

    @rule(data=st.data())
    def overlook_members(self, data: st.DataObject) -> None:
        """Leave some out of one look that calls itself complete. The next one has them: nothing is proved."""
        if self.cloud.members:
            self._see_clearly()
            self.cloud.overlook(*data.draw(st.sets(st.sampled_from(self.cloud.members), max_size=3)))
            self.run_passes(2, pause=data.draw(st.sampled_from([1, 31])))

    @rule(data=st.data())
    def cut_a_look_short(self, data: st.DataObject) -> None:
        if self.cloud.members:
            self.cloud.cut_short(*data.draw(st.sets(st.sampled_from(self.cloud.members))))

    @rule(looks=st.integers(1, 2))
    def show_an_old_picture(self, looks: int) -> None:
        self.cloud.lag(looks)

    @rule(operation=OPERATIONS, error=REFUSALS, times=st.integers(1, 2))
    def refuse(self, operation: str, error: Throttled | Contention | CloudUnavailable, times: int) -> None:
        self.cloud.fail(operation, error, times=times)

    @rule(operation=st.sampled_from(["raise_desired", "terminate", "tag_allocation"]), done=st.booleans())
    def lose_an_answer(self, operation: str, done: bool) -> None:
        self.cloud.fail(operation, OutcomeUnknown("no answer"), after_effect=done)

    @rule(desired=st.integers(0, 10))
    def somebody_else_sets_desired(self, desired: int) -> None:
        self.cloud.set_desired(min(max(desired, self.cloud.min_size), self.cloud.max_size))

    @rule(looks=st.sampled_from([0, 1, 4, None]))
    def change_how_long_a_boot_takes(self, looks: int | None) -> None:
        self.cloud.boot_looks = looks

    @rule(capacity=st.sampled_from([2, 4, None]))
    def run_out_of_capacity(self, capacity: int | None) -> None:
        self.cloud.capacity = capacity

    @rule(hang=st.booleans())
    def change_whether_instances_answer(self, hang: bool) -> None:
        self.prober.ready = set() if hang else None

    @rule(seconds=st.sampled_from([5, 31, 301]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)

    # What always holds

    @invariant()
    def one_project_to_one_instance(self) -> None:
        held = self._in(InstanceState.ALLOCATED)
        assert len({one.project for one in held}) == len(held)
        for one in held:
            assert self.handed_out[one.id] == one.project

    @invariant()
    def what_a_project_holds_runs_unless_others_ended_it(self) -> None:
        for one in self._in(InstanceState.ALLOCATED):
            if one.id not in self.harmed_by_others:
                assert one.id in self.cloud.members

    @invariant()
    def an_allocation_is_lost_only_where_others_ended_the_instance(self) -> None:
        for line in self.registry.events(limit=20):
            if line.kind == "allocation.lost":
                assert line.instance in self.harmed_by_others

    def _in(self, state: InstanceState) -> list[Instance]:
        return [one for one in self.registry.instances(DEFAULT_POOL).values() if one.state is state]

    def _watch_cloud(self, operation: str, arguments: tuple[Any, ...]) -> None:
        """Judge each of our calls by what is true at the moment when it is made."""
        if operation == "terminate":
            doomed = self.registry.instances(DEFAULT_POOL)[arguments[0]]
            assert doomed.state is InstanceState.TERMINATING
            assert doomed.end_reason in {EndReason.DESTROYED, EndReason.BOOT_TIMEOUT}
        elif operation == "observe":
            self.picture_is_old = self.cloud._stale_looks > 0
        elif operation == "raise_desired" and not self.picture_is_old:
            assert arguments[0] > self.cloud.desired, "desired capacity was not raised"

    # The end

    def come_to_rest(self) -> None:
        """Let AWS behave, give it time, and find the pool whole."""
        self._calm()
        quiet = 0
        for _ in range(QUIET_PASSES):
            report = self.reconciler.tick()
            changed = self.reconciler.settle_boots()
            self.clock.advance(10)
            quiet = 0 if report.changed or report.unsettled or changed else quiet + 1
            if quiet == AT_REST:
                break
        else:
            raise AssertionError("the pool does not come to rest")
        view = self.registry.view(DEFAULT_POOL)
        idle, held = len(self._in(InstanceState.IDLE)), len(self._in(InstanceState.ALLOCATED))
        assert idle >= BUFFER or view.limited_by is not None
        given_up = sum(notice.code == "back-from-the-dead" for notice in view.notices)
        assert idle + held + given_up == len(self.cloud.members)
        for project in {one.project for one in self._in(InstanceState.ALLOCATED)}:
            assert project is not None
            assert not self.registry.claim(
                DEFAULT_POOL, project, actor="tester", now=self.clock.now()
            ).created

    def _calm(self) -> None:
        self._see_clearly()
        self.cloud._failures.clear()
        self.cloud.capacity = None
        self.cloud.boot_looks = 1
        self.cloud.set_desired(self.cloud.desired)
        self.cloud.boot()
        self.prober.ready = None
        self.clock.advance(60)  # whoever waits gives up

    def _see_clearly(self) -> None:
        self.cloud._failures["observe"].clear()
        self.cloud._gaps.clear()
        self.cloud._stale_looks = 0


@pytest.mark.timeout(1800)
def test_a_pool_survives_whatever_happens_to_it() -> None:
    run_state_machine_as_test(PoolMachine, settings=settings())


@pytest.fixture
def machine() -> Iterator[PoolMachine]:
    """The same pool, for the cases that have a name."""
    made = PoolMachine()
    made.begin(desired=0, min_size=0, max_size=100, passes=0)
    yield made
    made.registry.close()
    shutil.rmtree(made.folder)


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
