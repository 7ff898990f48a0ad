"""What a registry should know, as a plain dictionary, and what becomes of allocations and holds in time."""

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from app.domain.errors import AllocationNotFound, HoldTooLate, InstanceNotFound
from app.domain.events import EventKind
from app.domain.limits import Announcement, End, Limits, due
from app.domain.model import (
    DEFAULT_POOL,
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
from tests.builders import NOW
from tests.property.quick_database import open_quickly

PROJECTS = [ProjectId(name) for name in ("alice", "bob", "carol", "dave")]
TIMES = st.none() | st.sampled_from([1, 31, 1000]).map(lambda seconds: timedelta(seconds=seconds))
UNLIMITED = Limits()
POLICIES = {DEFAULT_POOL: TermsPolicy()}


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


class Lasting(RuleBasedStateMachine):
    """Rules and invariants that the registry's machine inherits: time limits, confirmations, holds."""

    instances: Bundle[InstanceId] = Bundle("instances")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="registry-"))
        self.now = NOW
        self.model: dict[InstanceId, Record] = {}
        self.answers: dict[ProjectId, Allocation] = {}
        self.announced: list[InstanceId] = []

    @initialize()
    def begin(self) -> None:
        transactions = Transactions(open_quickly(self.folder), clock=lambda _tx: self.now)
        self.registry, self.lifetimes = SqlRegistry(transactions), SqlLifetimes(transactions)

    def teardown(self) -> None:
        with suppress(AttributeError):
            self.registry.close()
        shutil.rmtree(self.folder)

    @rule(project=st.sampled_from(PROJECTS), lasts=TIMES)
    def renew(self, project: ProjectId, lasts: timedelta | None) -> None:
        held = [one for one, record in self.model.items() if holds(record, project)]
        now = self.later()
        renew = partial(self.registry.renew, project, lasts, policies=POLICIES, actor="tester", now=now)
        if not held:
            with pytest.raises(AllocationNotFound):
                renew()
            return
        self.limit(held[0], self.model[held[0]].limits.renewed(Terms(ttl=lasts), now))
        assert renew() == self.answers[project]

    @rule(project=st.sampled_from(PROJECTS))
    def confirm(self, project: ProjectId) -> None:
        held = [one for one, record in self.model.items() if holds(record, project)]
        now = self.later()
        if not held:
            with pytest.raises(AllocationNotFound):
                self.registry.confirm(project, actor="tester", now=now)
            return
        self.limit(held[0], replace(self.model[held[0]].limits, confirm_by=None))
        assert self.registry.confirm(project, actor="tester", now=now) == self.answers[project]

    @rule(project=st.sampled_from(PROJECTS), instance=instances)
    def confirm_what_it_may_have_lost(self, project: ProjectId, instance: InstanceId) -> None:
        if holds(self.model[instance], project):
            self.confirm(project)
            return
        with pytest.raises(AllocationNotFound):
            self.registry.confirm(project, only=instance, actor="tester", now=self.later())

    @rule(instance=instances)
    def announce(self, instance: InstanceId) -> None:
        self.later()
        what = self.due(instance)
        announced = isinstance(what, Announcement)
        assert self.lifetimes.announce(instance) is announced
        if isinstance(what, Announcement):
            self.put_off(instance, what)

    def put_off(self, instance: InstanceId, what: Announcement) -> None:
        self.limit(instance, self.model[instance].limits.put_off(what))
        self.announced.append(instance)

    @rule(instance=instances)
    def expire(self, instance: InstanceId) -> None:
        self.later()
        over = self.due(instance) == End(EndReason.EXPIRED)
        assert self.lifetimes.expire(instance) is over
        if over:
            self.move(instance, InstanceState.ALLOCATED, InstanceState.TERMINATING)

    @rule(instance=instances)
    def end_unconfirmed(self, instance: InstanceId) -> None:
        self.later()
        over = self.due(instance) == End(EndReason.UNCONFIRMED)
        assert self.lifetimes.end_unconfirmed(instance) is over
        if over:
            self.move(instance, InstanceState.ALLOCATED, InstanceState.TERMINATING)

    @rule()
    def ask_what_is_due(self) -> None:
        self.later()
        steps = {one: self.due(one) for one in self.model}
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

    def due(self, instance: InstanceId) -> Announcement | End | None:
        record = self.model[instance]
        return due(record.limits, self.now) if lives(record) and record.hold is None else None

    def limit(self, instance: InstanceId, limits: Limits) -> None:
        record = self.model[instance]
        self.model[instance] = replace(record, limits=limits)
        assert record.project is not None
        self.answers[record.project] = replace(
            self.answers[record.project], expires_at=limits.expires_at, confirm_by=limits.confirm_by
        )

    @rule(instance=instances, lasts=TIMES)
    def hold(self, instance: InstanceId, lasts: timedelta | None) -> None:
        before, now = self.model[instance], self.later()
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
        before, now = self.model[instance], self.later()
        if before.state is InstanceState.TERMINATED:
            with pytest.raises(InstanceNotFound):
                self.registry.unhold(instance, actor="tester", now=now)
            return
        assert self.registry.unhold(instance, actor="tester", now=now).hold is None
        self.model[instance] = replace(before, hold=None)

    @rule(instance=instances)
    def end_hold(self, instance: InstanceId) -> None:
        self.later()
        over = self._hold_is_over(instance)
        assert self.lifetimes.end_hold(instance) is over
        if over:
            self.model[instance] = replace(self.model[instance], hold=None)

    def _hold_is_over(self, instance: InstanceId) -> bool:
        hold = self.model[instance].hold
        return hold is not None and hold.until is not None and hold.until <= self.now

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

    def later(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def move(self, instance: InstanceId, expect: InstanceState, to: InstanceState) -> bool:
        if self.model[instance].state is not expect:
            return False
        self.model[instance] = replace(self.model[instance], state=to, since=self.now)
        return True


def lives(record: Record) -> bool:
    return record.state is InstanceState.ALLOCATED


def holds(record: Record, project: ProjectId) -> bool:
    return lives(record) and record.project == project
