"""A whole pool as a state machine: passes, claims, an AWS that misbehaves, and a process that dies anywhere.

Whatever happened before, once AWS behaves again the pool must come to rest with its buffer full.
"""

import shutil
from collections.abc import Iterator
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
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.domain.errors import (
    CloudUnavailable,
    Contention,
    Denied,
    OutcomeUnknown,
    PoolExhausted,
    Throttled,
)
from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    Instance,
    InstanceId,
    InstanceState,
    Lifecycle,
    Limit,
    Policy,
    ProjectId,
)
from app.ports import Cloud, Registry
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.allocation import LOOKED_WITHIN, Allocator
from app.service.examination import Examination
from app.service.readiness import Readiness
from app.service.reconcile import Reconciler
from tests.fakes import FakeClock, FakeCloud, FakeMandate, FakePreflight, FakeProber, FakeWaker
from tests.property.fuse import Crash, Fuse, Fused
from tests.property.quick_database import open_quickly

PROJECTS = st.sampled_from([ProjectId(name) for name in ("alice", "bob", "carol", "dave", "erin")])
OPERATIONS = st.sampled_from(
    ["observe", "raise_desired", "terminate", "protect", "tag_allocation", "launch_failures"]
)
OPTIONAL = st.sampled_from(["protect", "tag_allocation", "launch_failures"])
REFUSALS = st.sampled_from([Throttled("slow down"), Contention("busy"), CloudUnavailable("no answer")])
LIMITS = st.sampled_from([Limit.CAPACITY, Limit.QUOTA, Limit.CONFIGURATION])
BUFFER = 3
QUIET_PASSES = 120
MOST_STRAYS = 2
AT_REST = 4
"""Passes without anything to do: a member that was killed takes three to be replaced, and nobody tells us."""


class PoolMachine(RuleBasedStateMachine):
    """One pool, and everybody who does something to it."""

    steps = 0
    """Of all runs together."""

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
        self.databases_lost = 0
        self.protection_denied = False
        self.strays = 0
        self.tagged_by_others: set[InstanceId] = set()

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
        self.registry = SqlRegistry(Transactions(open_quickly(self.folder)))
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
            event(f"crashes: {min(self.crashes, 5)}")
            event(f"databases lost: {min(self.databases_lost, 5)}")
        finally:
            self.registry.close()
            shutil.rmtree(self.folder)

    # We

    @rule()
    def restart(self) -> None:
        """Begin anew: nothing but the registry and AWS remembers anything."""
        policy = Policy(buffer=BUFFER)
        registry = cast("Registry", Fused(self.registry, self.fuse))
        self.readiness = Readiness(
            policy=policy, registry=registry, prober=self.prober, mandate=FakeMandate(), clock=self.clock
        )
        self.reconciler = Reconciler(
            policy=policy,
            registry=registry,
            cloud=cast("Cloud", Fused(self.cloud, self.fuse, self._watch_cloud)),
            examination=Examination(FakePreflight(), buffer=BUFFER, monotonic=lambda: 0.0),
            readiness=self.readiness,
            mandate=FakeMandate(),
            clock=self.clock,
        )
        self.allocator = Allocator(
            pool=DEFAULT_POOL,
            registry=self.registry,
            quick_prober=self.prober,
            waker=FakeWaker(),
            clock=self.clock,
        )

    @rule(times=st.integers(1, 3), pause=st.sampled_from([1, 2, 10]))
    def run_passes(self, times: int, pause: int) -> None:
        for _ in range(times):
            self.reconciler.tick()
            self.readiness.round()
            self.clock.advance(pause)

    @rule()
    def run_a_pass_alone(self) -> None:
        self.reconciler.tick()

    @rule()
    def probe(self) -> None:
        self.readiness.round()

    @rule(after=st.integers(0, 30))
    def crash_in_a_pass(self, after: int) -> None:
        self.fuse.left = after
        try:
            self.reconciler.tick()
            self.readiness.round()
        except Crash:
            self.crashes += 1
            self.restart()
        finally:
            self.fuse.left = None
        self.clock.advance(2)

    @precondition(lambda self: self._everything_is_on_the_tags())
    @rule()
    def lose_the_database(self) -> None:
        """Begin with an empty one: what AWS has on its tags is all there is."""
        self.cloud.recover("observe")
        self.cloud.group_exists = True
        self.registry.close()
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        self.registry = SqlRegistry(Transactions(open_quickly(self.folder)))
        self.databases_lost += 1
        self.restart()
        self.reconciler.tick()

    def _everything_is_on_the_tags(self) -> bool:
        known = self.registry.instances(DEFAULT_POOL).values()
        used = [one for one in known if one.id in self.handed_out]
        return all(
            self.cloud.tags(one.id).get("ec2-orchestrator:project") == self.handed_out[one.id] for one in used
        )

    # Users

    @rule(projects=st.lists(PROJECTS, min_size=1, max_size=3))
    def claim_several(self, projects: list[ProjectId]) -> None:
        for project in projects:
            self.claim(project)

    def claim(self, project: ProjectId) -> None:
        held = [one.id for one in self._in(InstanceState.ALLOCATED) if one.project == project]
        idle = [one.id for one in self._in(InstanceState.IDLE)]
        try:
            claimed = self.allocator.allocate(project, actor="tester")
        except PoolExhausted:
            assert not held
            seen_at = self.registry.view(DEFAULT_POOL).last_pass_at
            blind = seen_at is None or self.clock.now() - seen_at > LOOKED_WITHIN
            assert not idle or self.prober.ready is not None or blind
            return
        instance = claimed.allocation.instance
        assert claimed.created is not bool(held)
        if held:
            assert [instance] == held
        else:
            assert instance in idle
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
            self.cloud.recover("observe")
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

    @rule(operation=OPTIONAL, times=st.sampled_from([1, 100]))
    def deny(self, operation: str, times: int) -> None:
        self.protection_denied |= operation == "protect"
        self.cloud.fail(operation, Denied("not authorized"), times=times)

    @rule(desired=st.integers(0, 10))
    def somebody_else_sets_desired(self, desired: int) -> None:
        self.cloud.set_desired(min(max(desired, self.cloud.min_size), self.cloud.max_size))

    @rule(looks=st.sampled_from([0, 1, 4, None]))
    def change_how_long_a_boot_takes(self, looks: int | None) -> None:
        self.cloud.boot_looks = looks

    @rule(capacity=st.sampled_from([2, 4, None]), limit=LIMITS)
    def run_out_of_capacity(self, capacity: int | None, limit: Limit) -> None:
        self.cloud.run_out(capacity, limit)

    @rule(data=st.data())
    def silence_some(self, data: st.DataObject) -> None:
        """From now on only these answer: instances that are launched later do not."""
        members = self.cloud.members
        self.prober.ready = data.draw(st.sets(st.sampled_from(members))) if members else set()

    @rule()
    def let_all_answer(self) -> None:
        self.prober.ready = None

    @rule(dead=st.booleans())
    def change_whether_front_pages_open(self, dead: bool) -> None:
        self.prober.opening = set() if dead else None

    @rule(version=st.integers(1, 3))
    def change_the_launch_template(self, version: int) -> None:
        self.cloud.template = f"lt-fake:{version}"

    @rule(data=st.data(), holder=st.sampled_from(["somebody-else", "alice", "no project id", "status"]))
    def write_a_tag(self, data: st.DataObject, holder: str) -> None:
        """Somebody else begins to use an instance, and says so: not one that a project of ours has."""
        free = [one for one in self.cloud.members if one not in self.handed_out and self._is_free(one)]
        if free:
            used = data.draw(st.sampled_from(free))
            self.cloud.write_tags(used, holder, self.clock.now())
            look = self.cloud.look(used)
            if look is None or not look.protected:
                self.harmed_by_others.add(used)  # whoever lowers desired may end it before we protect it
            self.tagged_by_others.add(used)

    def _is_free(self, instance: InstanceId) -> bool:
        record = self.registry.instances(DEFAULT_POOL).get(instance)
        return record is None or record.state in {InstanceState.BOOTING, InstanceState.IDLE}

    @rule(data=st.data())
    def find_a_member_unhealthy(self, data: st.DataObject) -> None:
        if self.cloud.members:
            victim = data.draw(st.sampled_from(self.cloud.members))
            self.harmed_by_others.add(victim)
            self.cloud.change(victim, healthy=False)

    @rule(readable=st.booleans())
    def change_whether_figures_can_be_read(self, readable: bool) -> None:
        self.cloud.figures_readable = readable

    @rule(exists=st.booleans())
    def change_whether_the_group_exists(self, exists: bool) -> None:
        self.cloud.group_exists = exists

    @precondition(lambda self: self.strays < MOST_STRAYS)
    @rule()
    def leave_a_stray(self) -> None:
        self.strays += 1
        self.cloud.stray()

    @rule(seconds=st.sampled_from([5, 31, 301]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)

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

    def _watch_cloud(self, operation: str, arguments: tuple[Any, ...]) -> None:
        """Judge each of our calls by what is true at the moment when it is made."""
        if operation == "terminate":
            doomed = self.registry.instances(DEFAULT_POOL)[arguments[0]]
            assert doomed.state is InstanceState.TERMINATING
            assert doomed.end_reason in {EndReason.DESTROYED, EndReason.BOOT_TIMEOUT, EndReason.UNHEALTHY}
            assert doomed.end_reason is EndReason.DESTROYED or doomed.id not in self.handed_out
        elif operation == "observe":
            self.picture_is_old = self.cloud.lagging
        elif operation == "raise_desired" and not self.picture_is_old and self.cloud.figures_readable:
            assert arguments[0] > self.cloud.desired, "desired capacity was not raised"

    # The end

    def come_to_rest(self) -> None:
        """Let AWS behave, give it time, and find the pool whole."""
        self._calm()
        quiet = 0
        for _ in range(QUIET_PASSES):
            report = self.reconciler.tick()
            changed = self.readiness.round()
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
            if project is not None:
                assert not self.allocator.allocate(project, actor="tester").created

    def _calm(self) -> None:
        self.cloud.recover()
        self.cloud.run_out(None)
        self.cloud.figures_readable = self.cloud.group_exists = True
        self.cloud.boot_looks = 1
        self.cloud.set_desired(self.cloud.desired)
        self.cloud.boot()
        self.prober.ready = self.prober.opening = None
        self.clock.advance(60)  # whoever waits gives up


@pytest.mark.timeout(1800)
def test_a_pool_survives_whatever_happens_to_it() -> None:
    run_state_machine_as_test(PoolMachine, settings=settings())
    print(f"{PoolMachine.steps} steps")  # noqa: T201 - how long it looked, with -s


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
