"""A pool and AWS, left alone, come to an end: and then the buffer is full, or it is said why not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from app.domain.actions import (
    Action,
    Adopt,
    Discover,
    MarkIdle,
    MarkInService,
    MarkMissing,
    MarkTerminated,
    MarkTerminating,
    Protect,
    RaiseDesired,
    TagAllocation,
    Terminate,
    Withdraw,
)
from app.domain.boots import boots, conclude_boots
from app.domain.model import (
    DEFAULT_POOL,
    TRANSITIONS,
    EndReason,
    Group,
    Instance,
    InstanceId,
    InstanceState,
    Lifecycle,
    Observation,
    Policy,
    Power,
    ProjectId,
    SeenInstance,
)
from app.domain.plan import Plan, plan
from app.domain.settled import Unsettled
from tests.builders import NOW, a_look, an_instance, an_instance_id
from tests.property.worlds import records

BOOTING, IDLE = InstanceState.BOOTING, InstanceState.IDLE
ALLOCATED, TERMINATING = InstanceState.ALLOCATED, InstanceState.TERMINATING

ROUND = timedelta(seconds=31)
ROUNDS = 15
"""An overdue boot takes ten of them; everything else is over in five."""


@dataclass
class Pool:
    """A group that does what it is told, and a registry that is a dictionary."""

    desired: int
    min_size: int
    max_size: int
    policy: Policy
    looks: dict[InstanceId, SeenInstance]
    known: dict[InstanceId, Instance]
    now: datetime = NOW

    def round(self) -> Plan:
        """Let AWS work for a while, then run a pass, and say what it planned."""
        self._work()
        self.now += ROUND
        seen = Observation(
            group=Group(desired=self.desired, min_size=self.min_size, max_size=self.max_size),
            instances=dict(self.looks),
            complete=True,
        )
        living = {
            identity: one for identity, one in self.known.items() if one.state is not InstanceState.TERMINATED
        }
        decided = plan(Unsettled.of(seen, living), 0, self.policy, self.now)
        for action in decided.actions:
            self._apply(action)
        booting = boots(seen, self.known)
        ready = frozenset(look.id for look in booting)
        conclusions = conclude_boots(booting, self.known, ready, [], policy=self.policy, now=self.now)
        for conclusion in conclusions:
            self._conclude(conclusion)
        return decided

    def count(self, state: InstanceState) -> int:
        return sum(one.state is state and not one.held for one in self.known.values())

    @property
    def members(self) -> list[InstanceId]:
        return [look.id for look in self.looks.values() if look.member and not look.leaving]

    def _work(self) -> None:
        for look in list(self.looks.values()):
            if look.lifecycle is Lifecycle.PENDING:
                self.looks[look.id] = a_look(id=look.id)
            elif look.leaving:
                self._leave(look.id, Lifecycle.ABSENT, Power.TERMINATED)
        for _ in range(self.desired - len(self.members)):
            pending = a_look(lifecycle=Lifecycle.PENDING, power=Power.PENDING, address=None)
            self.looks[pending.id] = pending

    def _leave(self, identity: InstanceId, lifecycle: Lifecycle, power: Power) -> None:
        self.looks[identity] = replace(self.looks[identity], lifecycle=lifecycle, power=power)

    def _apply(self, action: Action) -> None:
        match action:
            case RaiseDesired(_, target):
                self.desired = target
            case Terminate(instance):
                if self.looks[instance].lifecycle is not Lifecycle.PENDING:  # AWS would say that it is busy
                    self._leave(instance, Lifecycle.LEAVING, Power.ENDING)
                    self.desired = max(self.desired - 1, self.min_size)
            case _:
                self._note(action)

    def _conclude(self, action: MarkIdle | MarkTerminating) -> None:
        match action:
            case MarkIdle(instance, address, port):
                self._move(instance, IDLE, address=address, port=port)
            case _:
                self._note(action)

    def _note(self, action: Action) -> None:
        match action:
            case Discover() | Adopt():
                self._take_in(action)
            case Protect(instances):
                for instance in instances:
                    self.looks[instance] = replace(self.looks[instance], protected=True)
            case MarkInService(instance, since):
                self.known[instance] = replace(self.known[instance], in_service_since=since)
            case MarkMissing(instance, since):
                self.known[instance] = replace(self.known[instance], missing_since=since)
            case TagAllocation(instance):
                self.known[instance] = replace(self.known[instance], tagged=True)
            case Withdraw(instance):
                self._move(instance, BOOTING)
            case MarkTerminating() | MarkTerminated():
                self._end(action)

    def _end(self, action: MarkTerminating | MarkTerminated) -> None:
        match action:
            case MarkTerminating(instance, _, reason):
                self._move(instance, TERMINATING, end_reason=reason)
            case MarkTerminated(instance, _, reason):
                self._move(instance, InstanceState.TERMINATED, end_reason=reason)

    def _take_in(self, action: Discover | Adopt) -> None:
        match action:
            case Discover(seen):
                self.known[seen.id] = an_instance(id=seen.id, state_since=self.now)
            case Adopt(seen, project, since):
                self.known[seen.id] = an_instance(
                    id=seen.id,
                    state=ALLOCATED,
                    state_since=self.now,
                    project=project,
                    allocated_at=since,
                    tagged=True,
                )

    def _move(self, instance: InstanceId, to: InstanceState, **fields: object) -> None:
        record = self.known[instance]
        assert to in TRANSITIONS[record.state]
        changed: Mapping[str, object] = {**fields, "state": to, "state_since": self.now}
        self.known[instance] = replace(record, **changed)  # type: ignore[arg-type]


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Draw a pool in any disorder that its history can have left it in."""
    low, high = sorted([draw(st.integers(0, 15)), draw(st.integers(0, 15))])
    pool = Pool(
        desired=draw(st.integers(low, high)),
        min_size=low,
        max_size=high,
        policy=Policy(buffer=draw(st.integers(0, 6))),
        looks={},
        known={},
    )
    for _ in range(draw(st.integers(0, 8))):
        identity = an_instance_id()
        shown = draw(st.sampled_from(list(_SHOWN)))
        if shown != "nowhere":
            pool.looks[identity] = replace(a_look(id=identity), **_SHOWN[shown])  # type: ignore[arg-type]
        if draw(st.booleans()) or shown in {"nowhere", "terminated"}:
            record = draw(records(identity))
            if (
                record.end_reason is not None
                and not record.end_reason.ours
                and shown in {"in service", "pending"}
            ):
                record = replace(record, end_reason=EndReason.DESTROYED)  # nothing comes back from leaving
            pool.known[identity] = record
    return pool


_SHOWN: dict[str, dict[str, object]] = {
    "in service": {},
    "pending": {"lifecycle": Lifecycle.PENDING, "power": Power.PENDING, "address": None},
    "leaving": {"lifecycle": Lifecycle.LEAVING, "power": Power.ENDING},
    "terminated": {"lifecycle": Lifecycle.ABSENT, "power": Power.TERMINATED},
    "nowhere": {},
}


def at_rest(pool: Pool) -> Iterator[Plan]:
    """Run rounds until a plan holds no action; yields that plan, or nothing where it never comes."""
    for number in range(ROUNDS):
        decided = pool.round()
        # What a refused look misses stays as it is, until somebody has looked into it.
        refused = any(notice.code == "absurd-look" for notice in decided.notices)
        settled = refused or not pool.count(BOOTING)
        if not decided.actions and settled and len(pool.members) >= pool.desired:
            event(f"{number} rounds")
            yield decided
            return


@settings(max_examples=100)
@given(pools())
def test_a_pool_that_is_left_alone_comes_to_rest(pool: Pool) -> None:
    assert list(at_rest(pool))


@settings(max_examples=100)
@given(pools())
def test_a_pool_at_rest_has_its_buffer_or_says_why_not(pool: Pool) -> None:
    for decided in at_rest(pool):
        assert pool.count(IDLE) >= pool.policy.buffer or decided.sizing.limited_by is not None


@settings(max_examples=100)
@given(pools())
def test_a_pool_at_rest_stays_at_rest(pool: Pool) -> None:
    for _ in at_rest(pool):
        assert [pool.round().actions for _ in range(3)] == [()] * 3


@given(
    held=st.integers(0, 8),
    idle=st.integers(0, 8),
    buffer=st.integers(0, 8),
)
def test_a_pool_that_was_never_too_large_ends_with_exactly_its_buffer(
    held: int, idle: int, buffer: int
) -> None:
    assume(idle <= buffer)
    known = {}
    for number in range(held + idle):
        identity = an_instance_id()
        known[identity] = an_instance(
            id=identity,
            pool=DEFAULT_POOL,
            state=ALLOCATED if number < held else IDLE,
            project=ProjectId(f"project-{number}") if number < held else None,
        )
    pool = Pool(
        desired=held + idle,
        min_size=0,
        max_size=100,
        policy=Policy(buffer=buffer),
        looks={identity: a_look(id=identity) for identity in known},
        known=known,
    )

    assert list(at_rest(pool))
    assert (pool.count(IDLE), pool.count(ALLOCATED)) == (buffer, held)
