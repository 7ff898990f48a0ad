"""The life of allocations as a state machine: nobody loses an instance by surprise, whatever happens when.

Beside the registry stands what people know: what they were answered and told, and when they used what they
hold.
Each end that the audit trail tells of is judged by that alone.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from app.domain.activity import Heartbeat
from app.domain.controls import Change
from app.domain.errors import AllocationNotFound
from app.domain.events import Event, EventKind
from app.domain.model import DEFAULT_POOL, EndReason, InstanceId, InstanceState, PoolView, ProjectId
from app.domain.terms import TermsPolicy
from app.ports import Due, Heard
from app.registry.activity import SqlActivity
from app.registry.controls import SqlControls
from app.registry.lifetimes import SqlLifetimes
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.property.quick_database import open_quickly

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SOON = MINUTE
"""An end that is told anew comes so long after that."""
LATE = 5 * MINUTE
"""An end by itself comes at most so long after the time that was told."""
IDLE_TIMEOUT = 5 * MINUTE
POLICY = TermsPolicy(idle_timeout=IDLE_TIMEOUT, warning=10 * MINUTE)
PROJECTS = st.sampled_from([ProjectId(name) for name in ("alice", "bob", "carol")])
TTLS = st.sampled_from([None, 12 * SECOND, 2 * MINUTE, 30 * MINUTE])
STEPS = st.sampled_from([SECOND, 5 * SECOND, 30 * SECOND, 61 * SECOND, 4 * MINUTE, 6 * MINUTE, 60 * MINUTE])
AHEAD = timedelta(hours=7)
"""How far the clocks of the instances are from that of the database."""
LEADERS = st.integers(0, 1)


@dataclass
class Life:
    """What is known outside of one allocation."""

    project: ProjectId
    end: datetime | None
    confirm_by: datetime | None
    notice: timedelta
    """How long before its end that must be told at least."""
    told: dict[datetime, datetime] = field(default_factory=dict)
    """When each end of its time was told, since it was renewed last."""
    used_at: datetime | None = None
    told_unused: list[datetime] = field(default_factory=list)
    """When its end for lack of use was told, since it was used last."""
    held: bool = False


class LimitsMachine(RuleBasedStateMachine):
    """One pool and two leaders, of which each may act upon what it saw long ago."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="limits-"))
        self.now, self.paused, self.seen = NOW, False, 0
        self.lives: dict[InstanceId, Life] = {}
        self.due = [Due(now=NOW), Due(now=NOW)]

    @initialize(ttls=st.tuples(TTLS, TTLS), confirm_within=TTLS)
    def begin(
        self, ttls: tuple[timedelta | None, timedelta | None], confirm_within: timedelta | None
    ) -> None:
        """Have two allocations from the start: nothing happens without one."""
        self.engine = open_quickly(self.folder)
        transactions = Transactions(self.engine, clock=lambda _: self.now)
        self.registry, self.lifetimes = SqlRegistry(transactions), SqlLifetimes(transactions)
        self.activity, self.controls = SqlActivity(transactions), SqlControls(transactions)
        self.registry.record_view(PoolView(pool=DEFAULT_POOL))
        self.claim(ProjectId("alice"), ttls[0], confirm_within)
        self.claim(ProjectId("bob"), ttls[1], None)

    def teardown(self) -> None:
        with suppress(AttributeError):
            self.registry.close()
        shutil.rmtree(self.folder)

    # What people do

    @rule(project=PROJECTS, ttl=TTLS, confirm_within=TTLS)
    def claim(self, project: ProjectId, ttl: timedelta | None, confirm_within: timedelta | None) -> None:
        look = a_look()
        self.registry.discover(DEFAULT_POOL, look, now=self.now)
        self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=self.now)
        terms = POLICY.terms(ttl=ttl, confirm_within=confirm_within)
        claimed = self.registry.claim(DEFAULT_POOL, project, actor="tester", now=self.now, terms=terms)
        self._listen()
        held = claimed.allocation
        if claimed.created:
            assert not any(life.project == project for life in self.lives.values())
            notice = _notice(ttl)
            self.lives[held.instance] = Life(project, held.expires_at, held.confirm_by, notice)
        life = self.lives[held.instance]
        assert (life.project, life.end, life.confirm_by) == (project, held.expires_at, held.confirm_by)

    @rule(project=PROJECTS, ttl=TTLS)
    def renew(self, project: ProjectId, ttl: timedelta | None) -> None:
        life = self._life_of(project)
        if life is None:
            with pytest.raises(AllocationNotFound):
                self.registry.renew(project, ttl, policies={}, actor="tester", now=self.now)
            return
        held = self.registry.renew(
            project, ttl, policies={DEFAULT_POOL: POLICY}, actor="tester", now=self.now
        )
        assert held.expires_at == (None if ttl is None else self.now + ttl)
        assert held.confirm_by is None
        if held.expires_at != life.end:
            life.told.clear()
        life.end, life.confirm_by, life.notice = held.expires_at, None, _notice(ttl)

    @rule(project=PROJECTS)
    def confirm(self, project: ProjectId) -> None:
        life = self._life_of(project)
        if life is None:
            with pytest.raises(AllocationNotFound):
                self.registry.confirm(project, actor="tester", now=self.now)
            return
        self.registry.confirm(project, actor="tester", now=self.now)
        self._listen()
        assert life.confirm_by is None

    @rule(project=PROJECTS, ttl=TTLS)
    def an_older_version_renews(self, project: ProjectId, ttl: timedelta | None) -> None:
        """It knows of the end of the time, and of nothing else."""
        life = self._life_of(project)
        if life is None:
            return
        life.end = None if ttl is None else self.now + ttl
        life.notice = SECOND
        stored = None if life.end is None else life.end.replace(tzinfo=None)
        with self.engine.begin() as tx:
            written = None if stored is None else stored.isoformat(" ", timespec="microseconds")
            tx.execute(
                text("UPDATE allocations SET expires_at = :end WHERE project = :of AND ended_at IS NULL"),
                {"end": written, "of": project},
            )
        life.told = {end: at for end, at in life.told.items() if end == life.end}

    @rule(project=PROJECTS, ttl=TTLS)
    def hold(self, project: ProjectId, ttl: timedelta | None) -> None:
        for instance, life in self.lives.items():
            if life.project == project:
                self.registry.hold(instance, ttl=ttl, actor="tester", now=self.now)
                life.held = True

    @rule(project=PROJECTS)
    def unhold(self, project: ProjectId) -> None:
        for instance, life in self.lives.items():
            if life.project == project:
                self.registry.unhold(instance, actor="tester", now=self.now)
        self._listen()
        assert not any(life.held for life in self.lives.values() if life.project == project)

    @rule()
    def pause_or_resume(self) -> None:
        self._pause(not self.paused)

    @rule(project=PROJECTS)
    def use(self, project: ProjectId) -> None:
        life = self._life_of(project)
        if life is not None:
            life.used_at = self.now
            life.told_unused.clear()

    @rule(by=STEPS)
    def pass_time(self, by: timedelta) -> None:
        """Without anybody at work: the service is away, or its leader is."""
        self.now += by

    # What leaders do

    @rule(leader=LEADERS)
    def look(self, leader: int) -> None:
        self.due[leader] = self.lifetimes.due(DEFAULT_POOL)

    @rule(leader=LEADERS)
    def act(self, leader: int) -> None:
        due = self.due[leader]
        for some, do in (
            (due.holds, self.lifetimes.end_hold),
            (due.announcements, self.lifetimes.announce),
            (due.expired, self.lifetimes.expire),
            (due.unconfirmed, self.lifetimes.end_unconfirmed),
        ):
            for instance in some:
                do(instance)
        self._listen()

    @rule()
    def hear_heartbeats(self) -> None:
        """Read those of all; what each was used last, it tells by a clock of its own."""
        beats = {one: self._heartbeat(life) for one, life in self.lives.items()}
        heard = {one: Heard(heartbeat=beat) for one, beat in beats.items()}
        for instance in self.activity.note(DEFAULT_POOL, heard, POLICY):
            self.activity.end(instance, beats[instance], POLICY)
        self._listen()

    @rule()
    @precondition(lambda self: self.lives)
    def look_after_all_for_a_while(self) -> None:
        """Whatever is over, and nothing is in the way of, ends in a few minutes."""
        over = {
            one
            for one, life in self.lives.items()
            if any(end is not None and end <= self.now for end in (life.end, life.confirm_by))
        }
        self._pause(False)
        for life in list(self.lives.values()):
            self.unhold(life.project)
        for _ in range(9):
            self.now += 20 * SECOND
            self.look(0)
            self.act(0)

        confirmed = {
            one for one in over & self.lives.keys() if (end := self.lives[one].end) is None or end > self.now
        }
        assert over & self.lives.keys() == confirmed == set()

    @invariant()
    def what_is_not_known_to_have_ended_goes_on(self) -> None:
        if hasattr(self, "registry"):
            used = self.registry.instances(DEFAULT_POOL, {InstanceState.ALLOCATED})
            known = {one: (life.project, life.end, life.held) for one, life in self.lives.items()}
            assert {one: (has.project, has.expires_at, has.held) for one, has in used.items()} == known

    # What people hear

    def _listen(self) -> None:
        news = [event for event in self.registry.events(limit=200) if event.id > self.seen]
        self.seen = max((event.id for event in news), default=self.seen)
        for event in reversed(news):
            if event.kind is EventKind.ALLOCATION_EXPIRING:
                self._hear_announcement(event)
            elif event.kind is EventKind.ALLOCATION_ENDED:
                self._judge_end(event)
            elif event.kind is EventKind.INSTANCE_UNHELD and event.instance in self.lives:
                self.lives[event.instance].held = False
            elif event.kind is EventKind.ALLOCATION_CONFIRMED and event.instance in self.lives:
                self.lives[event.instance].confirm_by = None

    def _hear_announcement(self, event: Event) -> None:
        assert event.instance is not None
        assert event.reason is not None
        life = self.lives[event.instance]
        assert not life.held
        assert not self.paused
        end = datetime.fromisoformat(event.reason.split(" at ")[1].split(" unless ")[0])
        if event.reason.startswith("nobody has used it"):
            assert life.used_at is not None
            assert end - self.now >= SOON
            life.told_unused.append(self.now)
        elif "confirmed" in event.reason:
            assert life.confirm_by is not None
            assert end == self.now + SOON > life.confirm_by + LATE + SOON
            life.confirm_by = end
        else:
            assert life.end is not None
            assert end not in life.told
            assert end >= life.end
            assert end - self.now >= life.notice
            life.told[end], life.end = self.now, end

    def _judge_end(self, event: Event) -> None:
        assert event.instance is not None
        life = self.lives.pop(event.instance)
        assert not life.held
        assert not self.paused
        match event.reason:
            case EndReason.EXPIRED:
                assert life.end is not None
                assert life.end <= self.now <= life.end + LATE
                assert life.told[life.end] <= life.end - life.notice
            case EndReason.UNCONFIRMED:
                assert life.confirm_by is not None
                assert life.confirm_by <= self.now <= life.confirm_by + LATE
            case EndReason.UNUSED:
                assert life.used_at is not None
                assert self.now - life.used_at >= IDLE_TIMEOUT - 2 * SECOND
                assert life.told_unused
            case _:
                raise AssertionError(f"nobody asked for {event}")

    def _pause(self, paused: bool) -> None:
        self.paused = paused
        change = Change(paused=paused)
        self.controls.change(DEFAULT_POOL, change, configured=5, expect=None, actor="ann", now=self.now)

    def _heartbeat(self, life: Life) -> Heartbeat:
        """What its server tells, whose clock is far from ours."""
        now = int((self.now + AHEAD).timestamp() * 1000)
        since = None if life.used_at is None else self.now - life.used_at
        return Heartbeat(last=0 if since is None else now - int(since.total_seconds() * 1000), now=now)

    def _life_of(self, project: ProjectId) -> Life | None:
        return next((life for life in self.lives.values() if life.project == project), None)


def _notice(ttl: timedelta | None) -> timedelta:
    """Half of how long before an announcement comes in good time, or a minute."""
    return SECOND if ttl is None else min(min(POLICY.warning, ttl / 2) / 2, SOON)


def test_nobody_loses_an_instance_by_surprise() -> None:
    run_state_machine_as_test(LimitsMachine, settings=settings())
