"""The registry as a state machine: a plain dictionary beside it, and both must always agree."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, invariant, multiple, rule, run_state_machine_as_test

from app.domain.errors import AllocationNotFound, InstanceNotFound, PoolExhausted
from app.domain.events import EventKind
from app.domain.limits import Announcement, End, limits_of
from app.domain.model import DEFAULT_POOL, TRANSITIONS, EndReason, InstanceId, InstanceState, ProjectId
from app.domain.terms import Terms
from tests.builders import a_look, an_instance_id
from tests.property.lasting import PROJECTS, TIMES, Lasting, Record, as_known, holds, lives

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


class RegistryMachine(Lasting):
    """Anything may happen in any order; the registry and the model are told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.handed_out: list[InstanceId] = []

    @rule(target=Lasting.instances)
    def discover_one(self) -> InstanceId:
        return self.discover()

    def discover(self) -> InstanceId:
        identity = an_instance_id()
        assert self.registry.discover(DEFAULT_POOL, a_look(id=identity), now=self.later())
        self._put(identity, InstanceState.BOOTING)
        return identity

    @rule(target=Lasting.instances, count=st.integers(1, 3))
    def discover_some_that_are_ready(self, count: int) -> MultipleResults[InstanceId]:
        """Most of what can go wrong needs instances to hand out: have some."""
        found = [self.discover() for _ in range(count)]
        for instance in found:
            self.mark_idle(instance)
        return multiple(*found)

    def mark_idle(self, instance: InstanceId) -> None:
        moved = self.registry.mark_idle(instance, "10.0.0.1", 8080, now=self.later())
        free = self.model[instance].hold is None
        assert moved is (free and self.move(instance, InstanceState.BOOTING, InstanceState.IDLE))

    @rule(instance=Lasting.instances)
    def discover_again(self, instance: InstanceId) -> None:
        assert not self.registry.discover(DEFAULT_POOL, a_look(id=instance), now=self.later())

    @rule(instance=Lasting.instances)
    def offer(self, instance: InstanceId) -> None:
        self.mark_idle(instance)

    @rule(instance=Lasting.instances)
    def withdraw(self, instance: InstanceId) -> None:
        moved = self.registry.withdraw(instance, reason="a reason", now=self.later())
        assert moved is self.move(instance, InstanceState.IDLE, InstanceState.BOOTING)

    @rule(instance=Lasting.instances, expect=st.sampled_from(InstanceState), to=st.sampled_from(ENDS))
    def end_any(self, instance: InstanceId, expect: InstanceState, to: InstanceState) -> None:
        self.end(instance, expect, to)

    def end(self, instance: InstanceId, expect: InstanceState, to: InstanceState) -> None:
        if to not in TRANSITIONS[expect]:
            return
        moved = self.registry.end(instance, expect=expect, to=to, reason=EndReason.LEFT, now=self.later())
        assert moved is self.move(instance, expect, to)
        if moved:  # by no decision of ours, which ends a hold
            going = to is InstanceState.TERMINATING
            self.model[instance] = replace(self.model[instance], hold=None, beyond_us=going)

    @rule(instance=Lasting.instances)
    def give_up(self, instance: InstanceId) -> None:
        """End one that does not get ready."""
        expect, to = InstanceState.BOOTING, InstanceState.TERMINATING
        reason = EndReason.BOOT_TIMEOUT
        moved = self.registry.end(instance, expect=expect, to=to, reason=reason, now=self.later())
        assert moved is (self.model[instance].hold is None and self.move(instance, expect, to))

    @rule(instance=Lasting.instances)
    def finish(self, instance: InstanceId) -> None:
        """Prove that one is gone that we ended."""
        expect, to = InstanceState.TERMINATING, InstanceState.TERMINATED
        reason = EndReason.DESTROYED
        moved = self.registry.end(instance, expect=expect, to=to, reason=reason, now=self.later())
        assert moved is self.move(instance, expect, to)
        if moved:
            self.model[instance] = replace(self.model[instance], hold=None, beyond_us=False)

    @rule(instance=Lasting.instances, refused=st.booleans())
    def ask_aws_to_terminate(self, instance: InstanceId, *, refused: bool) -> None:
        before, now = self.model[instance], self.later()
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
        held = [one for one, record in self.model.items() if holds(record, project)]
        now = self.later()
        if not held:
            with pytest.raises(AllocationNotFound):
                self.registry.release(project, actor="tester", now=now)
            return
        ended = self.registry.release(project, actor="tester", now=now)
        assert ended == replace(self.answers[project], state=InstanceState.TERMINATING)
        self.move(held[0], InstanceState.ALLOCATED, InstanceState.TERMINATING)

    @rule(project=st.sampled_from(PROJECTS))
    def destroy_what_a_project_holds(self, project: ProjectId) -> None:
        for instance in [one for one, record in self.model.items() if holds(record, project)]:
            self.destroy(instance)

    @rule(project=st.sampled_from(PROJECTS), to=st.sampled_from(ENDS))
    def lose_what_a_project_holds(self, project: ProjectId, to: InstanceState) -> None:
        for instance in [one for one, record in self.model.items() if holds(record, project)]:
            self.end(instance, InstanceState.ALLOCATED, to)

    @rule(instance=Lasting.instances)
    def destroy_any(self, instance: InstanceId) -> None:
        self.destroy(instance)

    def destroy(self, instance: InstanceId) -> None:
        before = self.model[instance]
        now = self.later()
        if before.state is InstanceState.TERMINATED:
            with pytest.raises(InstanceNotFound):
                self.registry.destroy(instance, actor="tester", now=now)
            return
        ending = self.registry.destroy(instance, actor="tester", now=now)
        if before.state is not InstanceState.TERMINATING:
            self.move(instance, before.state, InstanceState.TERMINATING)
        assert (ending.state, ending.project) == (InstanceState.TERMINATING, before.project)

    @rule(project=st.sampled_from(PROJECTS), lasts=TIMES, confirm_within=TIMES)
    def claim(self, project: ProjectId, lasts: timedelta | None, confirm_within: timedelta | None) -> None:
        now = self.later()
        self._go_on(project)
        held = [one for one, record in self.model.items() if holds(record, project)]
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
        """A claim sees to what is over; to announce what is still to come is left to the leader."""
        for one in [one for one, record in self.model.items() if holds(record, project)]:
            limits = self.model[one].limits
            if all(end is None or end > self.now for end in (limits.expires_at, limits.confirm_by)):
                continue
            what = self.due(one)
            if isinstance(what, Announcement):
                self.put_off(one, what)
            elif what == End(EndReason.EXPIRED):  # nobody has looked whether the other is in use
                self.move(one, InstanceState.ALLOCATED, InstanceState.TERMINATING)

    @rule(seconds=st.sampled_from([1, 31, 500]))
    def let_time_pass(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def restart(self) -> None:
        self.registry.close()
        self.begin()
        for project in {record.project for record in self.model.values() if lives(record)}:
            assert project is not None
            now = self.later()
            if any(holds(record, project) and self.due(one) for one, record in self.model.items()):
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

    def _put(self, instance: InstanceId, state: InstanceState) -> None:
        self.model[instance] = Record(state, self.now)


def test_the_registry_and_a_plain_dictionary_always_agree() -> None:
    often = settings(max_examples=settings().max_examples // 2)
    run_state_machine_as_test(RegistryMachine, settings=often)
