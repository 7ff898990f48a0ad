"""Whom the leader asks whether they are used, when, and whom it ends."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

import pytest

from app.domain.activity import Heartbeat
from app.domain.model import DEFAULT_POOL, EndReason, InstanceId, PoolName
from app.domain.terms import TermsPolicy
from app.ports import Heard
from app.service.activity import DEAF, ENDED_AT_ONCE, MOST, NoWatch, UseWatch
from tests.builders import address_of, an_instance_id
from tests.fake_clock import Stopwatch
from tests.fakes import FakeMandate, FakeMeter

Where = Mapping[InstanceId, tuple[str, int]]
BEAT = Heartbeat(last=7, now=9)


class Instances:
    """The allocated instances: what the registry has of them, and what they tell."""

    def __init__(self, count: int = 0) -> None:
        self.allocated = [an_instance_id() for _ in range(count)]
        self.silent: set[InstanceId] = set()
        self.over: Sequence[InstanceId] = ()
        self.asked: list[list[InstanceId]] = []
        self.noted: list[dict[InstanceId, Heard]] = []
        self.ended: list[InstanceId] = []
        self.in_use: set[InstanceId] = set()
        """Those that the registry does not end when it is asked to."""
        self.locked: set[InstanceId] = set()
        """Those of which nothing can be kept."""
        self.meanwhile: Callable[[], object] = lambda: None
        """Happens while they are asked."""

    # the Activity port

    def watched(self, pool: PoolName) -> Where:
        assert pool == DEFAULT_POOL
        return {one: (address_of(one), 8080) for one in self.allocated}

    def note(
        self, pool: PoolName, heard: Mapping[InstanceId, Heard], terms: TermsPolicy
    ) -> Sequence[InstanceId]:
        self.noted.append(dict(heard))
        return [one for one in self.over if one in heard]

    def note_each(
        self, pool: PoolName, heard: Mapping[InstanceId, Heard], terms: TermsPolicy
    ) -> Collection[InstanceId]:
        self.noted.append(dict(heard))
        return heard.keys() - self.locked

    def end(self, instance: InstanceId, heartbeat: Heartbeat, terms: TermsPolicy) -> bool:
        assert heartbeat == BEAT
        if instance in self.in_use:
            return False
        self.ended.append(instance)
        self.allocated.remove(instance)
        return True

    # the HeartbeatReader port

    def read(self, targets: Where) -> Mapping[InstanceId, Heartbeat]:
        self.asked.append(list(targets))
        self.meanwhile()
        return {one: BEAT for one in targets if one not in self.silent}


class World:
    """A watch over some instances, and its time."""

    def __init__(self, instances: Instances, idle_timeout: timedelta | None = None) -> None:
        self.instances = instances
        self.mandate = FakeMandate()
        self.meter = FakeMeter()
        self.time = Stopwatch()
        self.watch = UseWatch(
            pool=DEFAULT_POOL,
            terms=TermsPolicy(idle_timeout=idle_timeout),
            activity=instances,
            reader=instances,
            mandate=self.mandate,
            meter=self.meter,
            monotonic=self.time,
        )

    def rounds(self, seconds: int) -> list[set[InstanceId]]:
        """Have a round in each of so many seconds; whom each asked."""
        asked = []
        for _ in range(seconds):
            before = len(self.instances.asked)
            self.watch.round()
            asked.append({one for some in self.instances.asked[before:] for one in some})
            self.time.advance(1.0)
        return asked


def times(asked: Iterable[set[InstanceId]], one: InstanceId) -> list[int]:
    return [second for second, some in enumerate(asked) if one in some]


def test_each_is_asked_twice_a_minute() -> None:
    instances = Instances(7)

    asked = World(instances).rounds(120)

    for one in instances.allocated:
        at = times(asked, one)
        assert [later - before for before, later in pairwise(at)] == [30] * (len(at) - 1)
        assert at[0] < 30


@pytest.mark.parametrize(("timeout", "period"), [(3600, 30), (120, 30), (60, 15), (4, 1), (1, 1)])
def test_a_short_timeout_has_them_asked_more_often(timeout: int, period: int) -> None:
    instances = Instances(1)

    asked = World(instances, timedelta(seconds=timeout)).rounds(61)

    assert times(asked, instances.allocated[0]) == list(range(0, 61, period))


def test_those_that_were_there_before_are_spread_over_the_time() -> None:
    asked = World(Instances(300)).rounds(90)

    assert {len(some) for some in asked[1:]} == {10}


def test_who_was_just_handed_out_is_asked_at_once() -> None:
    instances = Instances(30)
    world = World(instances)
    world.rounds(5)
    new = an_instance_id()
    instances.allocated.append(new)

    assert times(world.rounds(40), new) == [0, 30]


def test_what_is_not_allocated_any_more_is_not_asked() -> None:
    instances = Instances(1)
    world = World(instances)
    gone = instances.allocated.pop()

    assert times(world.rounds(40), gone) == []


def test_no_round_asks_more_than_can_be_asked_in_time() -> None:
    instances = Instances()
    world = World(instances)
    world.rounds(1)
    instances.allocated += [an_instance_id() for _ in range(MOST + 5)]

    assert [len(some) for some in world.rounds(3)] == [MOST, 5, 0]


def test_rounds_that_were_late_do_not_keep_instances_together() -> None:
    instances = Instances(300)
    world = World(instances)
    world.rounds(30)
    world.time.advance(10.0)

    asked = world.rounds(60)

    assert len(asked[0]) == 110
    assert {len(some) for some in asked[30:]} <= {9, 10, 11}


def test_what_they_tell_is_kept_with_the_time_that_went_by_since() -> None:
    instances = Instances(1)
    [one] = instances.allocated

    World(instances).rounds(61)

    spans = [heard[one].unheard_for for heard in instances.noted]
    assert spans == [timedelta(), timedelta(seconds=30), timedelta(seconds=30)]


def test_who_tells_nothing_is_not_noted_and_asked_again_in_its_turn() -> None:
    instances = Instances(1)
    instances.silent = set(instances.allocated)

    asked = World(instances).rounds(61)

    assert times(asked, instances.allocated[0]) == [0, 30, 60]
    assert instances.noted == [{}, {}, {}]


def test_the_time_since_it_was_heard_goes_on_while_it_is_silent() -> None:
    instances = Instances(1)
    [one] = instances.allocated
    world = World(instances)
    world.rounds(30)
    instances.silent = {one}
    world.rounds(30)
    instances.silent = set()
    world.rounds(30)

    assert instances.noted[-1][one].unheard_for == timedelta(seconds=60)


def test_who_told_it_is_counted() -> None:
    instances = Instances(3)
    instances.silent = {instances.allocated[0]}
    world = World(instances)

    world.rounds(30)

    assert sum(told for _, told, _ in world.meter.heartbeats) == 2
    assert sum(silent for _, _, silent in world.meter.heartbeats) == 1


# The end


def unused(count: int = 1) -> World:
    instances = Instances(count)
    instances.over = list(instances.allocated)
    return World(instances, timedelta(hours=1))


def test_what_nobody_uses_is_asked_once_more_and_ended() -> None:
    world = unused()
    [one] = world.instances.allocated

    assert world.watch.round()
    assert world.instances.asked == [[one], [one]]
    assert world.instances.ended == [one]
    assert world.meter.ends == [(DEFAULT_POOL, EndReason.UNUSED)]


def test_who_does_not_answer_when_it_is_asked_once_more_stays() -> None:
    world = unused()
    [one] = world.instances.allocated
    world.instances.meanwhile = lambda: (
        world.instances.silent.add(one) if len(world.instances.asked) > 1 else None
    )

    assert not world.watch.round()
    assert world.instances.ended == []


def test_what_the_registry_does_not_end_is_not_counted() -> None:
    world = unused()
    world.instances.in_use = set(world.instances.allocated)

    assert not world.watch.round()
    assert world.meter.ends == []


def test_who_may_not_lead_any_more_notes_nothing() -> None:
    world = unused()
    world.instances.meanwhile = lambda: setattr(world.mandate, "trusted", False)

    assert not world.watch.round()
    assert world.instances.noted == []
    assert world.instances.ended == []


def test_who_finds_that_out_before_the_end_ends_nothing() -> None:
    world = unused()
    world.instances.meanwhile = lambda: setattr(world.mandate, "trusted", len(world.instances.asked) < 2)

    assert not world.watch.round()
    assert world.instances.ended == []


def test_of_many_some_are_ended_at_once_and_the_rest_soon_after() -> None:
    instances = Instances()
    world = World(instances, timedelta(hours=1))
    world.rounds(1)
    instances.allocated = [an_instance_id() for _ in range(2 * ENDED_AT_ONCE + 1)]
    instances.over = list(instances.allocated)

    ended = []
    for _ in range(3):
        world.rounds(1)
        ended.append(len(instances.ended))

    assert ended == [ENDED_AT_ONCE, 2 * ENDED_AT_ONCE, 2 * ENDED_AT_ONCE + 1]


# Between the rounds


def test_whoever_is_named_is_asked_now() -> None:
    instances = Instances(3)
    one, other, _ = instances.allocated

    World(instances).watch.look_at([other, one])

    assert [sorted(some) for some in instances.asked] == [sorted([one, other])]
    assert instances.noted == [{one: Heard(heartbeat=BEAT), other: Heard(heartbeat=BEAT)}]


def test_what_is_not_allocated_is_not_asked_by_name_either() -> None:
    instances = Instances()

    World(instances).watch.look_at([an_instance_id()])

    assert instances.asked == [[]]


def test_where_nobody_is_named_nothing_is_looked_up() -> None:
    instances = Instances(1)

    World(instances).watch.look_at([])

    assert (instances.asked, instances.noted) == ([], [])


def test_who_told_and_who_does_not_tell_although_others_do_have_been_looked_at() -> None:
    instances = Instances(2)
    instances.silent = {instances.allocated[0]}

    assert set(World(instances).watch.look_at(instances.allocated)) == set(instances.allocated)


def test_one_of_which_what_it_told_could_not_be_kept_has_not_been_looked_at() -> None:
    instances = Instances(2)
    locked, other = instances.allocated
    instances.locked = {locked}

    assert set(World(instances).watch.look_at(instances.allocated)) == {other}


def test_where_nobody_tells_it_may_be_us_who_cannot_ask_but_not_for_ever() -> None:
    instances = Instances(2)
    instances.silent = set(instances.allocated)
    world = World(instances)

    assert list(world.watch.look_at(instances.allocated)) == []
    world.time.advance(DEAF - 1)
    assert list(world.watch.look_at(instances.allocated)) == []
    world.time.advance(1)
    assert set(world.watch.look_at(instances.allocated)) == set(instances.allocated)


def test_where_nothing_is_watched_nobody_is_asked_nor_waited_for() -> None:
    watch, one = NoWatch(), an_instance_id()
    assert list(watch.look_at([one])) == [one]

    assert not watch.round()
