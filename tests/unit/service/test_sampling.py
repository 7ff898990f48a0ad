"""Samples of the pools: what is in them, and when they are taken."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.controls import Change
from app.domain.errors import PoolExhausted, RegistryUnavailable
from app.domain.history import GRAIN, Sample, grain_of
from app.domain.model import DEFAULT_POOL, Group, PoolName, PoolView, ProjectId
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.sampling import Sampler
from tests.builders import NOW, a_pool
from tests.fakes import FakeHistory
from tests.property.quick_database import open_quickly
from tests.unit.service.reading import World

GPU = PoolName("gpu")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    registry = SqlRegistry(Transactions(open_quickly(tmp_path)))
    yield World(registry, a_pool(), a_pool(GPU, buffer=2))
    registry.close()


@pytest.fixture
def history() -> FakeHistory:
    return FakeHistory()


@pytest.fixture
def sampler(world: World, history: FakeHistory) -> Sampler:
    return Sampler(status_reader=world.reader, history=history, clock=world.clock)


def test_all_pools_are_noted_at_once(sampler: Sampler, history: FakeHistory) -> None:
    sampler.take()

    assert [[sample.pool for sample in noted] for noted in history.noted] == [[DEFAULT_POOL, GPU]]


def test_a_sample_has_the_figures_of_its_pool(world: World, sampler: Sampler, history: FakeHistory) -> None:
    world.allocated("alice")
    world.idle()
    world.idle()
    world.hold(world.idle())
    world.booting()
    world.terminating()
    with pytest.raises(PoolExhausted):
        world.registry.claim(GPU, ProjectId("bob"), actor="tester", now=NOW)
    group = Group(desired=8, min_size=0, max_size=20)
    world.registry.record_view(
        PoolView(pool=DEFAULT_POOL, group=group, last_pass_at=NOW, last_attempt_at=NOW)
    )

    sampler.take()

    assert history.noted == [
        [
            Sample(
                pool=DEFAULT_POOL,
                at=grain_of(NOW),
                idle=2,
                allocated=1,
                booting=1,
                waiting=0,
                buffer=5,
                desired=8,
            ),
            Sample(
                pool=GPU,
                at=grain_of(NOW),
                idle=0,
                allocated=0,
                booting=0,
                waiting=1,
                buffer=2,
                desired=None,
            ),
        ]
    ]


def test_the_buffer_is_the_one_that_holds_now(world: World, sampler: Sampler, history: FakeHistory) -> None:
    world.change(Change(buffer=9))

    sampler.take()

    assert history.noted[0][0].buffer == 9


def test_a_grain_of_time_gets_one_sample_however_often_it_is_asked_for(
    world: World, sampler: Sampler, history: FakeHistory
) -> None:
    for _ in range(3):
        sampler.take()
        world.clock.advance(timedelta(seconds=1))

    assert len(history.noted) == 1


def test_each_grain_of_time_gets_its_sample(world: World, sampler: Sampler, history: FakeHistory) -> None:
    for _ in range(3):
        sampler.take()
        world.clock.advance(GRAIN)

    assert [noted[0].at - grain_of(NOW) for noted in history.noted] == [0 * GRAIN, GRAIN, 2 * GRAIN]


def test_what_could_not_be_noted_is_made_up_for_in_the_same_grain(
    world: World, sampler: Sampler, history: FakeHistory
) -> None:
    history.away = True
    with pytest.raises(RegistryUnavailable):
        sampler.take()
    history.away = False
    world.clock.advance(timedelta(seconds=1))

    sampler.take()

    assert [noted[0].at for noted in history.noted] == [grain_of(NOW)]


def test_a_pool_that_is_not_in_the_settings_any_more_gets_no_sample(
    world: World, history: FakeHistory
) -> None:
    world.idle(GPU)
    del world.pools[GPU]
    reader = world.reading()

    Sampler(status_reader=reader, history=history, clock=world.clock).take()

    assert [sample.pool for sample in history.noted[0]] == [DEFAULT_POOL]
