"""How a pool is, in one word and one sentence."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.controls import Controls
from app.domain.counting import Count
from app.domain.model import DEFAULT_POOL, InstanceState, Limit, PoolView
from app.domain.verdict import REMEDIES, Condition, Tone, Verdict, judge
from tests.builders import NOW

STATES = {
    "booting": InstanceState.BOOTING,
    "idle": InstanceState.IDLE,
    "used": InstanceState.ALLOCATED,
    "ending": InstanceState.TERMINATING,
}
PAUSED = Controls(pool=DEFAULT_POOL, paused_at=NOW, paused_by="token:ann")


def verdict(
    *,
    buffer: int = 5,
    waiting: int = 0,
    held: int = 0,
    limited_by: Limit | None = None,
    failed: bool = False,
    passed: bool = True,
    controls: Controls | None = None,
    stale: bool = False,
    led: bool = True,
    **states: int,
) -> Verdict:
    """Judge a pool of which a pass was a moment ago, and what is told of it otherwise."""
    attempt = NOW + timedelta(seconds=10) if failed else NOW
    view = PoolView(
        pool=DEFAULT_POOL,
        limited_by=limited_by,
        last_pass_at=NOW if passed else None,
        last_attempt_at=attempt if passed or failed else None,
    )
    return judge(
        count=Count({STATES[name]: count for name, count in states.items() if count}, held),
        buffer=buffer,
        waiting=waiting,
        view=view,
        controls=controls or Controls(pool=DEFAULT_POOL),
        stale=stale,
        led=led,
    )


@pytest.mark.parametrize(
    ("told", "condition", "tone"),
    [
        ({"idle": 5}, Condition.HEALTHY, Tone.GOOD),
        ({"idle": 7, "used": 3}, Condition.HEALTHY, Tone.GOOD),
        ({"idle": 3, "booting": 2}, Condition.FILLING, Tone.BUSY),
        ({"idle": 3}, Condition.FILLING, Tone.BUSY),
        ({"idle": 5, "waiting": 1}, Condition.FILLING, Tone.BUSY),
        ({"booting": 5}, Condition.STARTING, Tone.BUSY),
        ({"booting": 5, "waiting": 2}, Condition.STARTING, Tone.BUSY),
        ({}, Condition.STARTING, Tone.BUSY),
        ({"buffer": 0}, Condition.EMPTY, Tone.BUSY),
        ({"buffer": 0, "used": 3}, Condition.HEALTHY, Tone.GOOD),
        ({"buffer": 0, "used": 3, "waiting": 1}, Condition.EXHAUSTED, Tone.BAD),
        ({"used": 3, "booting": 5}, Condition.EXHAUSTED, Tone.BAD),
        ({"used": 3, "waiting": 2}, Condition.EXHAUSTED, Tone.BAD),
        ({"ending": 3}, Condition.EXHAUSTED, Tone.BAD),
        ({"held": 3}, Condition.EXHAUSTED, Tone.BAD),
        ({"limited_by": Limit.CAPACITY}, Condition.EXHAUSTED, Tone.BAD),
        ({"limited_by": Limit.MAX_SIZE, "idle": 2}, Condition.LIMITED, Tone.WARN),
        ({"limited_by": Limit.AWS_ERRORS, "idle": 2}, Condition.LIMITED, Tone.WARN),
        ({"controls": PAUSED, "idle": 5}, Condition.PAUSED, Tone.WARN),
        ({"controls": PAUSED}, Condition.PAUSED, Tone.BAD),
        ({"failed": True, "idle": 5}, Condition.BLIND, Tone.WARN),
        ({"failed": True}, Condition.BLIND, Tone.BAD),
        ({"stale": True, "idle": 5}, Condition.BLIND, Tone.BAD),
        ({"stale": True, "controls": PAUSED, "idle": 5}, Condition.BLIND, Tone.BAD),
        ({"passed": False}, Condition.STARTING, Tone.BUSY),
        ({"passed": False, "stale": True}, Condition.STARTING, Tone.BUSY),
        ({"passed": False, "stale": True, "led": False}, Condition.BLIND, Tone.BAD),
        ({"passed": False, "failed": True, "stale": True}, Condition.BLIND, Tone.BAD),
    ],
)
def test_a_pool_is_what_a_person_must_know_first(
    told: dict[str, Any], condition: Condition, tone: Tone
) -> None:
    found = verdict(**told)

    assert (found.condition, found.tone) == (condition, tone)


def test_a_healthy_pool_says_how_many_are_idle() -> None:
    assert verdict(idle=6).headline == "Healthy: 6 idle, 5 wanted"


def test_a_pool_that_fills_up_says_how_many_are_on_their_way() -> None:
    assert verdict(idle=3, booting=2).headline == "Filling up: 3 of 5 idle, 2 booting"


def test_the_first_instances_are_called_so() -> None:
    assert verdict(booting=5).headline == "Starting: the first 5 instances boot"


@pytest.mark.parametrize(
    ("waiting", "said"), [(0, "none booting"), (1, "a project waits"), (3, "3 projects wait")]
)
def test_who_waits_is_said(waiting: int, said: str) -> None:
    assert verdict(used=3, waiting=waiting).headline.endswith(said)


def test_an_exhausted_pool_says_what_is_in_the_way() -> None:
    found = verdict(used=3, limited_by=Limit.CAPACITY)

    assert found.headline.endswith("; AWS has no more instances of this type")
    assert found.advice == "The group keeps trying. More instance types or zones help."


def test_a_paused_pool_says_by_whom_and_since_when() -> None:
    found = verdict(idle=5, controls=PAUSED)

    assert (found.headline, found.since) == ("Paused by token:ann: 5 idle", NOW)


def test_where_aws_is_away_the_last_good_look_is_named() -> None:
    found = verdict(idle=5, failed=True)

    assert (found.headline, found.since) == ("Blind: AWS cannot be looked at; 5 idle when last seen", NOW)


def test_where_aws_is_away_and_nothing_is_idle_no_project_is_promised_one() -> None:
    assert verdict(used=5, failed=True).advice.startswith("A project that asks gets nothing.")


def test_a_group_that_was_never_seen_is_told_from_one_that_is_away() -> None:
    assert "never" in verdict(passed=False, failed=True).advice


def test_where_nobody_leads_that_is_said() -> None:
    assert "nobody looks after the pool" in verdict(idle=5, stale=True, led=False).headline


@pytest.mark.parametrize("limit", Limit)
def test_for_each_limit_there_is_a_cause_and_a_remedy(limit: Limit) -> None:
    limited = verdict(idle=1, limited_by=limit)

    assert limited.headline.startswith("Limited: 1 of 5 idle; ")
    assert limited.advice in REMEDIES[limit]


def test_a_limit_that_only_a_newer_version_knows_is_named() -> None:
    from app.registry.rows import word

    assert verdict(idle=1, limited_by=word(Limit, "moon-phase")).headline.endswith("; moon-phase")
