"""Members in use of which nothing is to be said may be left out: a plan is the same with all of them."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.model import InstanceState, Lifecycle, Power, ProjectId
from app.domain.oddities import mass_absence
from app.domain.plan import plan
from app.domain.settled import Unsettled, is_settled
from app.domain.sizing import size
from tests.builders import NOW, a_look, an_instance, an_instance_id
from tests.property.worlds import World, worlds

SETTLED = [an_instance_id() for _ in range(9)]


@st.composite
def partly_settled(draw: st.DrawFn) -> World:
    """A world with some members in use besides, nearly all of them as they should be."""
    world = draw(worlds(orderly=False))
    looks, known = dict(world.seen.instances), dict(world.known)
    for one in draw(st.sets(st.sampled_from(sorted(looks)), max_size=2)) if looks else ():
        looks[one] = replace(looks[one], holder="settled-0")  # a name that is written twice
    for number, one in enumerate(SETTLED[: draw(st.integers(0, len(SETTLED)))]):
        project = ProjectId(f"settled-{number}")
        look = a_look(id=one, holder=draw(st.sampled_from([project, None])))
        instance = an_instance(id=one, state=InstanceState.ALLOCATED, project=project, tagged=True)
        of_look, of_instance = draw(st.sampled_from(ODD))
        if of_look is not None:
            looks[one] = replace(look, **of_look)
        known[one] = replace(instance, **of_instance)
    return replace(world, seen=replace(world.seen, instances=looks), known=known)


OF_LOOKS: list[dict[str, Any]] = [
    {"lifecycle": Lifecycle.LEAVING},
    {"lifecycle": Lifecycle.OTHER},
    {"lifecycle": Lifecycle.ABSENT},
    {"lifecycle": Lifecycle.PENDING},
    {"power": Power.TERMINATED},
    {"power": Power.ENDING},
    {"power": Power.STOPPED},
    {"power": Power.UNKNOWN},
    {"protected": False},
    {"healthy": False},
    {"holder": "somebody-else"},
]
OF_INSTANCES: list[dict[str, Any]] = [
    {"tagged": False},
    {"missing_since": NOW},
    {"project": None},
    {"state": InstanceState.TERMINATING},
    {"state": InstanceState.TERMINATED},
    {"state": InstanceState.IDLE, "project": None},
]
ODD: list[tuple[dict[str, Any] | None, dict[str, Any]]] = [
    *[({}, {})] * 8,
    *((one, {}) for one in OF_LOOKS),
    *(({}, one) for one in OF_INSTANCES),
    *[(None, {})] * 4,
]
"""What may be odd about a member in use: of most nothing, and some are missing."""


def whole(world: World) -> Unsettled:
    """All of it, as if nothing were settled."""
    return Unsettled(seen=world.seen, known=world.known, everybody=world.known)


def parted(world: World) -> Unsettled:
    return Unsettled.of(world.seen, world.known)


@given(partly_settled(), st.booleans())
def test_the_plan_is_the_same_without_the_settled(world: World, assured: bool) -> None:
    plans = [
        plan(rest, world.waiting, world.policy, NOW, setbacks=world.setbacks, assured=assured)
        for rest in (whole(world), parted(world))
    ]
    assert plans[0] == plans[1]


@given(partly_settled())
def test_the_arithmetic_is_the_same_without_the_settled(world: World) -> None:
    sizes = [
        size(rest, world.waiting, world.policy, world.setbacks, NOW) for rest in (whole(world), parted(world))
    ]
    assert sizes[0] == sizes[1]


@given(partly_settled())
def test_as_many_are_missing_without_the_settled(world: World) -> None:
    assert mass_absence(whole(world)) == mass_absence(parted(world))


@given(partly_settled())
def test_the_settled_and_the_others_are_all_there_are(world: World) -> None:
    rest = parted(world)
    left = world.known.keys() - rest.known.keys()
    assert left == world.seen.instances.keys() - rest.seen.instances.keys()
    assert all(is_settled(world.seen.instances[one], world.known[one]) for one in left)
    assert rest.settled == len(left)
