"""Batches of claims on SQLite and on real PostgreSQL: who comes while one is being settled is part of it."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from app.domain.model import DEFAULT_POOL
from app.domain.terms import Terms
from app.registry.database import open_database
from tests.contract.batches_world import ALICE, BOB, CAROL, SECOND, World, a_claim
from tests.databases import a_registry_in

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def test_who_comes_late_gets_an_instance_of_its_own(world: World) -> None:
    there = {world.idle(), world.idle()}

    answers = world.settle_with(a_claim(BOB), a_claim(ALICE))

    assert {(one.allocation.project, one.created) for one in answers if one} == {(ALICE, True), (BOB, True)}
    assert {one.allocation.instance for one in answers if one} == there


def test_a_project_that_asks_again_meanwhile_gets_the_same_instance(world: World) -> None:
    world.idle()
    world.idle()

    first, again = world.settle_with(a_claim(ALICE, at=SECOND), a_claim(ALICE))

    assert first is not None
    assert again is not None
    assert (first.created, again.created) == (True, False)
    assert first.allocation == again.allocation


def test_who_holds_something_already_gets_it_also_if_it_comes_late(world: World) -> None:
    world.idle()
    held = world.holds(BOB)
    fresh = world.idle()

    answers = world.settle_with(a_claim(BOB), a_claim(ALICE))

    assert [one.allocation.instance for one in answers if one] == [fresh, held]


def test_where_there_are_too_few_who_came_late_gets_none(world: World) -> None:
    world.idle()

    first, late = world.settle_with(a_claim(BOB), a_claim(ALICE))

    assert first is not None
    assert late is None


def test_where_somebody_who_came_late_hung_up_nothing_of_the_batch_counts(world: World) -> None:
    for _ in range(3):
        world.idle()
    before = world.everything()

    answers = world.settle_with(a_claim(CAROL, wanted=lambda: False), a_claim(ALICE), a_claim(BOB))

    assert answers == [None, None, None]
    assert world.everything() == before


def test_the_time_is_asked_once_also_for_who_comes_late(world: World) -> None:
    world.idle()
    world.idle()
    world.looks_at_the_clock = 0

    terms = Terms(ttl=MINUTE)
    answers = world.settle_with(a_claim(BOB, terms=terms), a_claim(ALICE, terms=terms))

    assert len({one.allocation.expires_at for one in answers if one}) == 1
    assert world.looks_at_the_clock == 1


def test_who_comes_late_is_in_the_audit_trail(world: World) -> None:
    world.idle()
    world.idle()

    world.settle_with(a_claim(BOB, actor="token:b"), a_claim(ALICE, actor="token:a"))

    told = [(one.project, one.actor) for one in world.registry.events(limit=2)]
    assert told == [(BOB, "token:b"), (ALICE, "token:a")]
    assert len(world.registry.instances(DEFAULT_POOL)) == 2


def test_who_comes_late_needs_no_commit_of_its_own(tmp_path: Path) -> None:
    engine = open_database(a_registry_in(tmp_path))
    executed: list[str] = []
    event.listen(engine, "connect", lambda driver, _: driver.set_trace_callback(executed.append))
    world = World(engine)
    world.idle()
    world.idle()
    executed.clear()

    world.settle_with(a_claim(BOB), a_claim(ALICE))

    assert (executed.count("BEGIN IMMEDIATE"), executed.count("COMMIT")) == (1, 1)
    world.registry.close()
