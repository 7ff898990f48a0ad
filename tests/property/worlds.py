"""What AWS may show and what the registry may know, in every combination: strategies for the plan's tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st

from app.domain.model import (
    DEFAULT_POOL,
    EndReason,
    Group,
    Hold,
    Instance,
    InstanceId,
    InstanceState,
    Lifecycle,
    Limit,
    Notice,
    Observation,
    Policy,
    Power,
    ProjectId,
    SeenInstance,
)
from app.domain.setbacks import BootFailures, LaunchFailure, Setbacks
from tests.builders import NOW, address_of

IDS = [InstanceId(f"i-{number:017x}") for number in range(0xA0, 0xA6)]
SIZES = st.integers(min_value=0, max_value=12)
AGES = st.sampled_from([0, 1, 9, 10, 11, 29, 30, 31, 299, 300, 301, 86_400]).map(
    lambda seconds: timedelta(seconds=seconds)
)
POLICIES = st.builds(
    Policy, buffer=st.integers(min_value=0, max_value=7), paused=st.sampled_from([False, False, True])
)


@dataclass(frozen=True)
class World:
    """Everything that a pass decides by, but the clock."""

    seen: Observation
    known: Mapping[InstanceId, Instance]
    waiting: int
    policy: Policy
    setbacks: Setbacks = Setbacks()  # noqa: RUF009 - a frozen value


HOLDS = st.builds(
    Hold, since=st.just(NOW), by=st.just("somebody"), until=st.none() | AGES.map(lambda age: NOW - age)
)
LIMITS_OF_TIME = st.none() | st.sampled_from([-301, 0, 301]).map(
    lambda seconds: NOW + timedelta(seconds=seconds)
)
"""Long over, just over, and not yet."""
HOLDERS = st.sampled_from([None, None, None, "project-a0", "project-a1", "nobody we know", "status"])


@st.composite
def setbacks(draw: st.DrawFn) -> Setbacks:
    """What may have gone wrong before."""
    limits = st.sampled_from([Limit.CAPACITY, Limit.QUOTA, Limit.CONFIGURATION, Limit.AWS_ERRORS])
    failure = st.builds(LaunchFailure, limit=limits, message=st.just("a sentence"), at=st.just(NOW))
    row = st.builds(
        BootFailures,
        count=st.integers(min_value=0, max_value=6),
        template=st.sampled_from([None, "lt-1:1"]),
        last_at=AGES.map(lambda age: NOW - age),
    )
    return Setbacks(launch=draw(st.none() | failure), boots=tuple(draw(st.lists(row, max_size=2))))


@st.composite
def looks(draw: st.DrawFn, identity: InstanceId) -> SeenInstance:
    return SeenInstance(
        id=identity,
        lifecycle=draw(st.sampled_from(Lifecycle)),
        power=draw(st.sampled_from(Power)),
        healthy=draw(st.booleans()),
        protected=draw(st.booleans()),
        address=draw(st.sampled_from([address_of(identity), "10.9.9.9", None])),
        port=draw(st.sampled_from([None, 9999])),
        holder=draw(HOLDERS),
        held_since=draw(st.none() | AGES.map(lambda age: NOW - age)),
    )


@st.composite
def records(draw: st.DrawFn, identity: InstanceId) -> Instance:
    """An instance as the registry can have it: each state with what belongs to it."""
    state = draw(st.sampled_from(InstanceState))
    offered = state in {InstanceState.IDLE, InstanceState.ALLOCATED}
    held = state is InstanceState.ALLOCATED
    ending = state in {InstanceState.TERMINATING, InstanceState.TERMINATED}
    return Instance(
        id=identity,
        pool=DEFAULT_POOL,
        state=state,
        state_since=NOW - draw(AGES),
        address=address_of(identity) if offered else None,
        port=8080 if offered else None,
        missing_since=draw(st.none() | AGES.map(lambda age: NOW - age)),
        end_reason=draw(st.sampled_from(EndReason)) if ending else None,
        terminate_called_at=draw(st.none() | AGES.map(lambda age: NOW - age)) if ending else None,
        project=ProjectId(f"project-{identity[-2:]}") if held else None,
        allocated_at=NOW if held else None,
        expires_at=draw(LIMITS_OF_TIME) if held or ending else None,
        tagged=held and draw(st.booleans()),
        hold=None if state is InstanceState.TERMINATED else draw(st.none() | HOLDS),
    )


@st.composite
def records_of_any_kind(draw: st.DrawFn, identity: InstanceId) -> Instance:
    """An instance with any value in any field, also where the registry would never have it so."""
    times = st.none() | AGES.map(lambda age: NOW - age)
    return Instance(
        id=identity,
        pool=DEFAULT_POOL,
        state=draw(st.sampled_from(InstanceState)),
        state_since=NOW - draw(AGES),
        address=draw(st.none() | st.just(address_of(identity))),
        port=draw(st.none() | st.just(8080)),
        missing_since=draw(times),
        end_reason=draw(st.none() | st.sampled_from(EndReason)),
        terminate_called_at=draw(times),
        project=draw(st.none() | st.just(ProjectId("project"))),
        allocated_at=draw(times),
        expires_at=draw(LIMITS_OF_TIME),
        tagged=draw(st.booleans()),
        hold=draw(st.none() | HOLDS),
    )


@st.composite
def groups(draw: st.DrawFn) -> Group:
    """Figures as AWS allows them (min is not above max), or none at all."""
    if draw(st.integers(min_value=0, max_value=9)) == 0:
        return Group(desired=None, min_size=None, max_size=None)
    low, high = sorted([draw(SIZES), draw(SIZES)])
    return Group(desired=draw(SIZES), min_size=low, max_size=high, launches=draw(st.booleans()))


@st.composite
def worlds(draw: st.DrawFn, *, complete: bool | None = None, orderly: bool = True) -> World:
    """Draw a world; `orderly` means that the registry holds only what it can hold."""
    record = records if orderly else records_of_any_kind
    seen = draw(st.lists(st.sampled_from(IDS), unique=True))
    known = draw(st.lists(st.sampled_from(IDS), unique=True))
    return World(
        seen=Observation(
            group=draw(groups()),
            instances={identity: draw(looks(identity)) for identity in seen},
            complete=draw(st.booleans()) if complete is None else complete,
            notices=draw(st.sampled_from([(), (Notice(code="a-code", detail="a sentence"),)])),
        ),
        known={identity: draw(record(identity)) for identity in known},
        waiting=draw(st.integers(min_value=0, max_value=3)),
        policy=draw(POLICIES),
        setbacks=draw(setbacks()),
    )
