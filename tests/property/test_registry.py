"""The registry as a state machine: a plain dictionary beside it, and both must always agree."""

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from app.domain.errors import AllocationNotFound, HoldTooLate, InstanceNotFound, PoolExhausted
from app.domain.events import EventKind
from app.domain.limits import Announcement, End, Limits, due, limits_of
from app.domain.model import (
    DEFAULT_POOL,
    TRANSITIONS,
    Allocation,
    EndReason,
    Hold,
    Instance,
    InstanceId,
    InstanceState,
    ProjectId,
)
from app.domain.terms import Terms, TermsPolicy
from app.registry.lifetimes import SqlLifetimes
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look, an_instance_id
from tests.property.quick_database import open_quickly

PROJECTS = [ProjectId(name) for name in ("alice", "bob", "carol", "dave")]
TIMES = st.none() | st.sampled_from([1, 31, 1000]).map(lambda seconds: timedelta(seconds=seconds))
UNLIMITED = Limits()
POLICIES = {DEFAULT_POOL: TermsPolicy()}
ENDS = [InstanceState.TERMINATING, InstanceState.TERMINATED]

BECOMES = {
    EventKind.INSTANCE_DISCOVERED: InstanceState.BOOTING,
    EventKind.INSTANCE_IDLE: InstanceState.IDLE,
    EventKind.INSTANCE_WITHDRAWN: InstanceState.BOOTING,
    EventKind.ALLOCATION_CREATED: InstanceState.ALLOCATED,
    EventKind.INSTANCE_TERMINATING: InstanceState.TERMINATING,
    EventKind.INSTANCE_TERMINATED: InstanceState.TERMINATED,
}
"""What each line of the audit trail makes of the instance that it names."""


@dataclass(frozen=True)
class Record:
    """What the model remembers of an instance."""

    state: InstanceState
    since: datetime
    project: ProjectId | None = None
    limits: Limits = UNLIMITED
    hold: Hold | None = None
    beyond_us: bool = False
    """It is terminating, and AWS was asked for it already, or it goes by no decision of ours."""


def as_known(real: Instance) -> Record:
    """What the registry has, as the model would remember it."""
    left = real.end_reason is EndReason.LEFT
    return Record(
        real.state,
        real.state_since,
        real.project,
        Limits(expires_at=real.expires_at, confirm_by=real.confirm_by),
        real.hold,
        real.state is InstanceState.TERMINATING and (left or real.terminate_called_at is not None),
    )


class RegistryMachine(RuleBasedStateMachine):
    """Anything may happen in any order; the registry and the model are told the same."""

    instances: Bundle[InstanceId] = Bundle("instances")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="registry-"))
        self.now = NOW
        self.model: dict[InstanceId, Record] = {}
        self.answers: dict[ProjectId, Allocation] = {}
        self.handed_out: list[InstanceId] = []
        self.announced: list[InstanceId] = []

    @initialize()
    def begin(self) -> None:
        transactions = Transactions(open_quickly(self.folder), clock=lambda _tx: self.now)
        self.registry, self.lifetimes = SqlRegistry(transactions), SqlLifetimes(transactions)

    def teardown(self) -> None:
        with suppress(AttributeError):
            self.registry.close()
        shutil.rmtree(self.folder)

    @rule(target=instances)
    def discover_one(self) -> InstanceId:
        return self.discover()

    def discover(self) -> InstanceId:
        identity = an_instance_id()
        assert self.registry.discover(DEFAULT_POOL, a_look(id=identity), now=self._later())
        self._put(identity, InstanceState.BOOTING)
        return identity

    @rule(target=instances, count=st.integers(1, 3))
    def discover_some_that_are_ready(self, count: int) -> MultipleResults[InstanceId]:
        """Most of what can go wrong needs instances to hand out: have some."""
        found = [self.discover() for _ in range(count)]
        for instance in found:
            self.mark_idle(instance)
        return multiple(*found)

    def mark_idle(self, instance: InstanceId) -> None:
        moved = self.registry.mark_idle(instance, "10.0.0.1", 8080, now=self._later())
        free = self.model[instance].hold is None
        assert moved is (free and self._move(instance, InstanceState.BOOTING, InstanceState.IDLE))

    @rule(instance=instances)
    def discover_again(self, instance: InstanceId) -> None:
        assert not self.registry.discover(DEFAULT_POOL, a_look(id=instance), now=self._later())

    @rule(instance=instances)
    def offer(self, instance: InstanceId) -> None:
        self.mark_idle(instance)

    @rule(instance=instances)
    def withdraw(self, instance: InstanceId) -> None:
        moved = self.registry.withdraw(instance, reason="a reason", now=self._later())
        assert moved is self._move(instance, InstanceState.IDLE, InstanceState.BOOTING)

    @rule(instance=instances, expect=st.sampled_from(InstanceState), to=st.sampled_from(ENDS))
    def end_any(self, instance: InstanceId, expect: InstanceState, to: InstanceState) -> None:
        self.end(instance, expect, to)

    def end(self, instance: InstanceId, expect: InstanceState, to: InstanceState) -> None:
        if to not in TRANSITIONS[expect]:
            return
        moved = self.registry.end(instance, expect=expect, to=to, reason=EndReason.LEFT, now=self._later())
        assert moved is self._move(instance, expect, to)
        if moved:  # by no decision of ours, which ends a hold
            going = to is InstanceState.TERMINATING
            self.model[instance] = replace(self.model[instance], hold=None, beyond_us=going)

    @rule(instance=instances)
    def give_up(self, instance: InstanceId) -> None:
        """End one that does not get ready."""
        expect, to = InstanceState.BOOTING, InstanceState.TERMINATING
        reason = EndReason.BOOT_TIMEOUT
        moved = self.registry.end(instance, expect=expect, to=to, reason=reason, now=self._later())
        assert moved is (self.model[instance].hold is None and self._move(instance, expect, to))

    @rule(instance=instances)
    def finish(self, instance: InstanceId) -> None:
        """Prove that one is gone that we ended."""
        expect, to = InstanceState.TERMINATING, InstanceState.TERMINATED
        reason = EndReason.DESTROYED
        moved = self.registry.end(instance, expect=expect, to=to, reason=reason, now=self._later())
        assert moved is self._move(instance, expect, to)
        if moved:
            self.model[instance] = replace(self.model[instance], hold=None, beyond_us=False)

    @rule(instance=instances, refused=st.booleans())
    def ask_aws_to_terminate(self, instance: InstanceId, *, refused: bool) -> None:
        before, now = self.model[instance], self._later()
        may = before.state is InstanceState.TERMINATING and before.hold is None
        assert self.registry.note_terminate_call(instance, now) is may
        if may and refused:
            self.registry.forget_terminate_call(instance, now)
            left = self.registry.instances(DEFAULT_POOL)[instance].end_reason is EndReason.LEFT
            self.model[instance] = replace(before, beyond_us=left)
        elif may:
            self.model[instance] = replace(before, beyond_us=True)

    @rule(project=st.sampled_from(PROJECTS))
    def release(self, project: ProjectId) -> None:
        held = [one for one, record in self.model.items() if _holds(record, project)]
        now = self._later()
        if not held:
            with pytest.raises(AllocationNotFound):
                self.registry.release(project, actor="tester", now=now)
            return
        ended = self.registry.release(project, actor="tester", now=now)
        assert ended == replace(self.answers[project], state=InstanceState.TERMINATING)
        self._move(held[0], InstanceState.ALLOCATED, InstanceState.TERMINATING)

    @rule(project=st.sampled_from(PROJECTS), lasts=TIMES)
    def renew(self, project: ProjectId, lasts: timedelta | None) -> None:
        held = [one for one, record in self.model.items() if _holds(record, project)]
        now = self._later()
        renew = partial(self.registry.renew, project, lasts, policies=POLICIES, actor="tester", now=now)
        if not held:
            with pytest.raises(AllocationNotFound):
                renew()
            return
        self._limit(held[0], self.model[held[0]].limits.renewed(Terms(ttl=lasts), now))
        assert renew() == self.answers[project]

    @rule(project=st.sampled_from(PROJECTS))
    def confirm(self, project: ProjectId) -> None:
        held = [one for one, record in self.model.items() if _holds(record, project)]
        now = self._later()
        if not held:
            with pytest.raises(AllocationNotFound):
                self.registry.confirm(project, actor="tester", now=now)
            return
        self._limit(held[0], replace(self.model[held[0]].limits, confirm_by=None))
        assert self.registry.confirm(project, actor="tester", now=now) == self.answers[project]

    @rule(instance=instances)
    def announce(self, instance: InstanceId) -> None:
        self._later()
        what = self._due(instance)
        announced = isinstance(what, Announcement)
        assert self.lifetimes.announce(instance) is announced
        if isinstance(what, Announcement):
            self._put_off(instance, what)

    def _put_off(self, instance: InstanceId, what: Announcement) -> None:
        self._limit(instance, self.model[instance].limits.put_off(what))
        self.announced.append(instance)

    @rule(instance=instances)
    def expire(self, instance: InstanceId) -> None:
        self._later()
        over = self._due(instance) == End(EndReason.EXPIRED)
        assert self.lifetimes.expire(instance) is over
        if over:
            self._move(instance, InstanceState.ALLOCATED, InstanceState.TERMINATING)

    @rule(instance=instances)
    def end_unconfirmed(self, instance: InstanceId) -> None:
        self._later()
        over = self._due(instance) == End(EndReason.UNCONFIRMED)
        assert self.lifetimes.end_unconfirmed(instance) is over
        if over:
            self._move(instance, InstanceState.ALLOCATED, InstanceState.TERMINATING)

    @rule()
    def ask_what_is_due(self) -> None:
        self._later()
        steps = {one: self._due(one) for one in self.model}
        found = self.lifetimes.due(DEFAULT_POOL)
        assert found.now == self.now
        assert set(found.announcements) == {
            one for one, what in steps.items() if isinstance(what, Announcement)
        }
        assert set(found.expired) == {one for one, what in steps.items() if what == End(EndReason.EXPIRED)}
        assert set(found.unconfirmed) == {
            one for one, what in steps.items() if what == End(EndReason.UNCONFIRMED)
        }
        assert set(found.holds) == {one for one in self.model if self._hold_is_over(one)}

    def _due(self, instance: InstanceId) -> Announcement | End | None:
        record = self.model[instance]
        return due(record.limits, self.now) if _live(record) and record.hold is None else None

    def _limit(self, instance: InstanceId, limits: Limits) -> None:
        record = self.model[instance]
        self.model[instance] = replace(record, limits=limits)
        assert record.project is not None
        self.answers[record.project] = replace(
            self.answers[record.project], expires_at=limits.expires_at, confirm_by=limits.confirm_by
        )

    @rule(instance=instances, lasts=TIMES)
    def hold(self, instance: InstanceId, lasts: timedelta | None) -> None:
        before, now = self.model[instance], self._later()
        until = None if lasts is None else now + lasts
        if before.state is InstanceState.TERMINATED or before.beyond_us:
            refusal = InstanceNotFound if before.state is InstanceState.TERMINATED else HoldTooLate
            with pytest.raises(refusal):
                self.registry.hold(instance, ttl=lasts, reason=None, actor="tester", now=now)
            return
        since = now if before.hold is None else before.hold.since
        held = self.registry.hold(instance, ttl=lasts, reason=None, actor="tester", now=now)
        self.model[instance] = replace(before, hold=Hold(since=since, by="tester", until=until))
        assert held.hold == self.model[instance].hold

    @rule(instance=instances)
    def unhold(self, instance: InstanceId) -> None:
        before, now = self.model[instance], self._later()
        if before.state is InstanceState.TERMINATED:
            with pytest.raises(InstanceNotFound):
                self.registry.unhold(instance, actor="tester", now=now)
            return
        assert self.registry.unhold(instance, actor="tester", now=now).hold is None
        self.model[instance] = replace(before, hold=None)

    @rule(instance=instances)
    def end_hold(self, instance: InstanceId) -> None:
        self._later()
        over = self._hold_is_over(instance)
        assert self.lifetimes.end_hold(instance) is over
        if over:
            self.model[instance] = replace(self.model[instance], hold=None)

    def _hold_is_over(self, instance: InstanceId) -> bool:
        hold = self.model[instance].hold
        return hold is not None and hold.until is not None and hold.until <= self.now

    @rule(project=st.sampled_from(PROJECTS))
    def destroy_what_a_project_holds(self, project: ProjectId) -> None:
        for instance in [one for one, record in self.model.items() if _holds(record, project)]:
            self.destroy(instance)

    @rule(project=st.sampled_from(PROJECTS), to=st.sampled_from(ENDS))
    def lose_what_a_project_holds(self, project: ProjectId, to: InstanceState) -> None:
        for instance in [one for one, record in self.model.items() if _holds(record, project)]:
            self.end(instance, InstanceState.ALLOCATED, to)

    @rule(instance=instances)
    def destroy_any(self, instance: InstanceId) -> None:
        self.destroy(instance)

    def destroy(self, instance: InstanceId) -> None:
        before = self.model[instance]
        now = self._later()
        if before.state is InstanceState.TERMINATED:
            with pytest.raises(InstanceNotFound):
                self.registry.destroy(instance, actor="tester", now=now)
            return
        ending = self.registry.destroy(instance, actor="tester", now=now)
        if before.state is not InstanceState.TERMINATING:
            self._move(instance, before.state, InstanceState.TERMINATING)
        assert (ending.state, ending.project) == (InstanceState.TERMINATING, before.project)

    @rule(project=st.sampled_from(PROJECTS), lasts=TIMES, confirm_within=TIMES)
    def claim(self, project: ProjectId, lasts: timedelta | None, confirm_within: timedelta | None) -> None:
        now = self._later()
        self._go_on(project)
        held = [one for one, record in self.model.items() if _holds(record, project)]
        free = sorted(
            (record.since, one)
            for one, record in self.model.items()
            if record.state is InstanceState.IDLE and record.hold is None
        )
        terms = Terms(ttl=lasts, confirm_within=confirm_within)
        claim = partial(self.registry.claim, DEFAULT_POOL, project, actor="tester", now=now, terms=terms)
        if not held and not free:
            with pytest.raises(PoolExhausted):
                claim()
            return
        claimed = claim()
        if held:
            assert not claimed.created
            assert claimed.allocation == self.answers[project]
        else:
            limits = limits_of(terms, now)
            assert claimed.created
            assert claimed.allocation.instance == free[0][1]
            self.handed_out.append(claimed.allocation.instance)
            self.answers[project] = claimed.allocation
            assert (claimed.allocation.expires_at, claimed.allocation.confirm_by) == (
                limits.expires_at,
                limits.confirm_by,
            )
            self.model[free[0][1]] = Record(InstanceState.ALLOCATED, now, project, limits)

    def _go_on(self, project: ProjectId) -> None:
        """What a claim finds to be due, it does at once."""
        for one in [one for one, record in self.model.items() if _holds(record, project)]:
            what = self._due(one)
            if isinstance(what, Announcement):
                self._put_off(one, what)
            elif what is not None:
                self._move(one, InstanceState.ALLOCATED, InstanceState.TERMINATING)

    @rule(seconds=st.sampled_from([1, 31, 500]))
    def let_time_pass(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def restart(self) -> None:
        self.registry.close()
        self.begin()
        for project in {record.project for record in self.model.values() if _live(record)}:
            assert project is not None
            now = self._later()
            if any(_holds(record, project) and self._due(one) for one, record in self.model.items()):
                continue
            again = self.registry.claim(DEFAULT_POOL, project, actor="tester", now=now)
            assert again.allocation == self.answers[project]

    @invariant()
    def the_registry_knows_what_happened(self) -> None:
        found = self.registry.instances(DEFAULT_POOL)
        assert {one: as_known(real) for one, real in found.items()} == {
            one: replace(record, limits=replace(record.limits, warn_at=None))
            for one, record in self.model.items()
            if record.state is not InstanceState.TERMINATED
        }

    @invariant()
    def a_project_holds_at_most_one_instance(self) -> None:
        holders = [
            real.project
            for real in self.registry.instances(DEFAULT_POOL).values()
            if real.state is InstanceState.ALLOCATED
        ]
        assert len(holders) == len(set(holders))

    @invariant()
    def no_instance_is_handed_out_twice_in_its_life(self) -> None:
        assert len(self.handed_out) == len(set(self.handed_out))

    @invariant()
    def the_audit_trail_explains_every_state(self) -> None:
        told: dict[InstanceId, Record] = {}
        for line in reversed(list(self.registry.events(limit=10_000))):
            if line.instance is not None and line.kind in BECOMES:
                project = line.project
                if line.kind is EventKind.INSTANCE_TERMINATED and line.instance in told:
                    project = told[line.instance].project
                told[line.instance] = Record(BECOMES[line.kind], line.at, project)
        plain = {
            one: Record(record.state, record.since, record.project) for one, record in self.model.items()
        }
        assert told == plain

    @invariant()
    def the_audit_trail_has_every_announcement_once(self) -> None:
        told = [
            line.instance
            for line in self.registry.events(limit=10_000)
            if line.kind is EventKind.ALLOCATION_EXPIRING
        ]
        assert told[::-1] == self.announced

    @invariant()
    def the_audit_trail_explains_every_hold(self) -> None:
        held: dict[InstanceId | None, bool] = {}
        for line in reversed(list(self.registry.events(limit=10_000))):
            if line.kind in {EventKind.INSTANCE_HELD, EventKind.INSTANCE_UNHELD}:
                held[line.instance] = line.kind is EventKind.INSTANCE_HELD
        assert {one for one, is_so in held.items() if is_so} == {
            one for one, record in self.model.items() if record.hold is not None
        }

    def _later(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def _put(self, instance: InstanceId, state: InstanceState) -> None:
        self.model[instance] = Record(state, self.now)

    def _move(self, instance: InstanceId, expect: InstanceState, to: InstanceState) -> bool:
        if self.model[instance].state is not expect:
            return False
        self.model[instance] = replace(self.model[instance], state=to, since=self.now)
        return True


def _live(record: Record) -> bool:
    return record.state is InstanceState.ALLOCATED


def _holds(record: Record, project: ProjectId) -> bool:
    return _live(record) and record.project == project


@pytest.mark.timeout(1800)
def test_the_registry_and_a_plain_dictionary_always_agree() -> None:
    often = settings(max_examples=settings().max_examples // 2)
    run_state_machine_as_test(RegistryMachine, settings=often)
