"""Batches of claims on SQLite and on real PostgreSQL: what they settle, as if each claim had come alone."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Engine

from app.domain.errors import PoolExhausted
from app.domain.events import EventKind
from app.domain.limits import limits_of
from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, ProjectId
from app.domain.terms import Terms
from app.registry import statements
from app.registry.outbox import SqlOutbox
from tests.builders import NOW
from tests.contract.batches_world import ALICE, BOB, CAROL, GPU, SECOND, World, a_claim
from tests.contract.registry_contract import race
from tests.receiving import parsed

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def test_each_project_gets_an_instance_of_its_own(world: World) -> None:
    there = {world.idle(), world.idle(), world.idle()}

    answers = world.settle(a_claim(ALICE), a_claim(BOB), a_claim(CAROL))

    assert [(answer.created, answer.allocation.project) for answer in answers if answer] == [
        (True, ALICE),
        (True, BOB),
        (True, CAROL),
    ]
    assert {answer.allocation.instance for answer in answers if answer} == there
    known = world.registry.instances(DEFAULT_POOL)
    assert {one.project for one in known.values()} == {ALICE, BOB, CAROL}
    assert {one.state for one in known.values()} == {InstanceState.ALLOCATED}


def test_the_answer_is_what_the_project_is_told_when_it_asks_again(world: World) -> None:
    world.idle()
    (first,) = world.settle(a_claim(ALICE))

    (again,) = world.settle(a_claim(ALICE, at=SECOND))

    assert first is not None
    assert again is not None
    assert (again.allocation, again.created) == (first.allocation, False)


def test_those_idle_longest_go_first(world: World) -> None:
    world.idle(since=3 * SECOND)
    oldest = {world.idle(since=SECOND), world.idle(since=2 * SECOND)}

    assert set(world.given(a_claim(ALICE), a_claim(BOB))) == oldest


def test_a_project_that_asks_twice_gets_one_instance(world: World) -> None:
    world.idle()
    world.idle()

    first, second = world.settle(a_claim(ALICE), a_claim(ALICE))

    assert first is not None
    assert second is not None
    assert (first.created, second.created) == (True, False)
    assert first.allocation == second.allocation


def test_a_project_that_asks_for_two_pools_gets_one_of_the_first(world: World) -> None:
    instance = world.idle()
    world.idle(pool=GPU)

    assert world.given(a_claim(ALICE), a_claim(ALICE, pool=GPU)) == [instance, instance]


def test_each_pool_gives_its_own(world: World) -> None:
    instance, with_gpu = world.idle(), world.idle(pool=GPU)

    assert world.given(a_claim(ALICE, pool=GPU), a_claim(BOB)) == [with_gpu, instance]


def test_what_a_project_holds_it_gets_again_beside_others_that_get_theirs(world: World) -> None:
    world.idle()
    held = world.holds(ALICE)
    fresh = world.idle()

    assert world.given(a_claim(ALICE), a_claim(BOB)) == [held, fresh]


def test_who_holds_what_it_asks_for_changes_nothing(world: World) -> None:
    world.idle()
    world.holds(ALICE)
    before = world.everything()

    world.settle(a_claim(ALICE, at=SECOND), a_claim(ALICE, at=SECOND))

    assert world.everything() == before


def test_where_there_are_too_few_the_first_get_them(world: World) -> None:
    instance = world.idle()

    assert world.given(a_claim(ALICE), a_claim(BOB), a_claim(CAROL)) == [instance, None, None]


def test_all_begin_at_the_latest_of_their_times(world: World) -> None:
    world.idle()
    world.idle()

    answers = world.settle(a_claim(ALICE, at=2 * SECOND), a_claim(BOB, at=SECOND))

    assert [answer.allocation.allocated_at for answer in answers if answer] == [NOW + 2 * SECOND] * 2


def test_nothing_is_given_that_is_unproved_for_too_long_for_one_of_them(world: World) -> None:
    world.idle(since=SECOND)
    proved = world.idle(since=2 * SECOND)

    claims = [a_claim(ALICE, ready_since=SECOND), a_claim(BOB, ready_since=2 * SECOND)]

    assert world.given(*claims) == [proved, None]


def test_who_takes_any_idle_instance_is_given_one_that_was_never_proved(world: World) -> None:
    instance = world.idle()
    world.registry.note_probes([], [instance], now=NOW)

    assert world.given(a_claim(ALICE), a_claim(BOB, ready_since=None)) == [None, instance]


def test_an_instance_that_is_held_for_inspection_is_not_given(world: World) -> None:
    world.registry.hold(world.idle(), actor="tester", now=NOW)

    assert world.given(a_claim(ALICE)) == [None]


# Limits


def test_time_limits_count_from_the_databases_time_which_is_asked_once(world: World) -> None:
    world.idle()
    world.idle()
    world.clock.advance(MINUTE)
    world.looks_at_the_clock = 0

    terms = Terms(ttl=2 * MINUTE, confirm_within=MINUTE)
    answers = world.settle(a_claim(ALICE, terms=terms), a_claim(BOB, terms=terms))

    assert [(one.allocation.expires_at, one.allocation.confirm_by) for one in answers if one] == [
        (NOW + 3 * MINUTE, NOW + 2 * MINUTE)
    ] * 2
    assert world.looks_at_the_clock == 1


def test_where_there_are_no_limits_nobody_asks_what_time_it_is(world: World) -> None:
    world.idle()
    world.looks_at_the_clock = 0

    world.settle(a_claim(ALICE))

    assert world.looks_at_the_clock == 0


def test_an_end_is_to_be_announced_as_the_terms_say(world: World) -> None:
    instance = world.idle()
    terms = Terms(ttl=4 * MINUTE, warning=MINUTE)
    world.settle(a_claim(ALICE, terms=terms))

    with world.transactions.looking() as tx:
        written = tx.execute(statements.limits_of, {"instance": instance}).one()
    assert written.warn_at == limits_of(terms, NOW).warn_at


def test_what_has_a_limit_is_given_again_while_it_lasts(world: World) -> None:
    instance = world.idle()
    world.settle(a_claim(ALICE, terms=Terms(ttl=2 * MINUTE)))
    world.clock.advance(MINUTE)

    assert world.given(a_claim(ALICE)) == [instance]


# What is told


def test_the_audit_trail_tells_who_asked_for_what(world: World) -> None:
    for _ in range(2):
        world.idle()

    given = world.given(a_claim(ALICE, actor="token:a", at=SECOND), a_claim(BOB, actor="token:b"))

    told = sorted(world.registry.events(limit=2), key=lambda event: str(event.project))
    assert [(one.kind, one.project, one.instance, one.actor, one.at, one.reason) for one in told] == [
        (EventKind.ALLOCATION_CREATED, ALICE, given[0], "token:a", NOW + SECOND, None),
        (EventKind.ALLOCATION_CREATED, BOB, given[1], "token:b", NOW + SECOND, None),
    ]


def test_of_racing_claims_each_instance_is_told_to_be_given_once(world: World) -> None:
    there = {world.idle() for _ in range(40)}
    projects = [ProjectId(f"project-{number}") for number in range(48)]

    def ask(project: ProjectId) -> InstanceId | None:
        claim = partial(world.registry.claim, DEFAULT_POOL, project, actor="tester", now=NOW)
        try:
            return claim(ready_since=NOW, last_try=True).allocation.instance
        except PoolExhausted:
            return None

    answers = race(projects, ask, threads=8)

    given = {project: instances[0] for project, instances in answers.items() if instances[0] is not None}
    told = [
        (one.project, one.instance)
        for one in world.registry.events(limit=1000)
        if one.kind is EventKind.ALLOCATION_CREATED
    ]
    assert sorted(given.values()) == sorted(there)
    assert sorted(map(str, told)) == sorted(map(str, given.items()))


def test_a_message_tells_of_each(engine: Engine) -> None:
    world = World(engine, tells=True)
    for _ in range(2):
        world.idle()

    given = world.given(a_claim(ALICE), a_claim(BOB))

    messages = SqlOutbox(world.transactions).messages(limit=10).items
    told = {(body := parsed(one.body))["data"]["project"]: body for one in messages}
    assert {project: body["data"]["instance"] for project, body in told.items()} == dict(
        zip([ALICE, BOB], given, strict=True)
    )
    assert {body["type"] for body in told.values()} == {"allocation.created"}
