"""How a pool is, in one word and one sentence."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.controls import Controls
from app.domain.counting import Count
from app.domain.model import DEFAULT_POOL, InstanceState, Limit, PoolView
from app.domain.verdict import PATIENCE, REMEDIES, Condition, Past, Tone, Verdict, judge
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
    ever_ready: bool = False,
    short_since: datetime | None = None,
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
        past=Past(ever_ready=ever_ready, short_since=short_since),
        now=NOW,
    )


@pytest.mark.parametrize(
    ("told", "condition", "tone"),
    [
        ({"idle": 5}, Condition.HEALTHY, Tone.GOOD),
        ({"idle": 7, "used": 3}, Condition.HEALTHY, Tone.GOOD),
        ({"idle": 3, "booting": 2}, Condition.FILLING, Tone.BUSY),
        ({"idle": 3}, Condition.FILLING, Tone.BUSY),
        ({"idle": 5, "waiting": 1}, Condition.FILLING, Tone.BUSY),
        ({"idle": 6, "waiting": 1}, Condition.HEALTHY, Tone.GOOD),
        ({"booting": 5}, Condition.STARTING, Tone.BUSY),
        ({}, Condition.STARTING, Tone.BUSY),
        ({"booting": 5, "waiting": 2}, Condition.EXHAUSTED, Tone.BAD),
        ({"booting": 5, "ever_ready": True}, Condition.EXHAUSTED, Tone.BAD),
        ({"ever_ready": True}, Condition.EXHAUSTED, Tone.BAD),
        ({"idle": 3, "short_since": NOW - PATIENCE}, Condition.SHORT, Tone.WARN),
        ({"idle": 3, "short_since": NOW - PATIENCE / 2}, Condition.FILLING, Tone.BUSY),
        ({"idle": 5, "waiting": 1, "short_since": NOW - PATIENCE}, Condition.FILLING, Tone.BUSY),
        ({"idle": 5, "short_since": NOW - PATIENCE}, Condition.HEALTHY, Tone.GOOD),
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
        (
            {"limited_by": Limit.MAX_SIZE, "idle": 2, "short_since": NOW - PATIENCE},
            Condition.LIMITED,
            Tone.WARN,
        ),
        ({"limited_by": Limit.MAX_SIZE, "idle": 5, "waiting": 1}, Condition.LIMITED, Tone.WARN),
        ({"limited_by": Limit.MAX_SIZE, "idle": 5}, Condition.HEALTHY, Tone.GOOD),
        ({"limited_by": Limit.CAPACITY, "idle": 2, "buffer": 0}, Condition.HEALTHY, Tone.GOOD),
        ({"limited_by": Limit.CAPACITY, "used": 2, "buffer": 0}, Condition.HEALTHY, Tone.WARN),
        ({"limited_by": Limit.CAPACITY, "buffer": 0}, Condition.EMPTY, Tone.WARN),
        ({"controls": PAUSED, "idle": 5}, Condition.PAUSED, Tone.WARN),
        ({"controls": PAUSED}, Condition.PAUSED, Tone.BAD),
        ({"failed": True, "idle": 5}, Condition.BLIND, Tone.WARN),
        ({"failed": True}, Condition.BLIND, Tone.BAD),
        ({"stale": True, "idle": 5}, Condition.BLIND, Tone.BAD),
        ({"stale": True, "controls": PAUSED, "idle": 5}, Condition.BLIND, Tone.BAD),
        ({"passed": False}, Condition.STARTING, Tone.BUSY),
        ({"passed": False, "stale": True}, Condition.STARTING, Tone.BUSY),
        ({"passed": False, "stale": True, "led": False}, Condition.BLIND, Tone.BAD),
        ({"led": False, "idle": 5}, Condition.BLIND, Tone.WARN),
        ({"led": False, "used": 5}, Condition.BLIND, Tone.BAD),
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


def test_one_for_each_project_that_waits_is_wanted_beside_the_buffer() -> None:
    found = verdict(idle=4, waiting=2)

    assert found.headline == "Filling up: 4 of 7 idle, none booting; 2 projects wait"
    assert "more are asked for" in found.advice


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


@pytest.mark.parametrize("stale", [False, True])
def test_where_nobody_leads_that_is_said(stale: bool) -> None:
    assert "nobody looks after the pool" in verdict(idle=5, stale=stale, led=False).headline


@pytest.mark.parametrize("told", [{"failed": True}, {"stale": True}, {"led": False}])
def test_that_a_pool_is_paused_is_said_also_where_it_cannot_be_seen(told: dict[str, Any]) -> None:
    found = verdict(idle=5, controls=PAUSED, **told)

    assert found.condition is Condition.BLIND
    assert found.advice.endswith(" And the pool is paused by token:ann.")


def test_a_pool_that_lost_all_it_had_is_not_called_new() -> None:
    found = verdict(booting=5, ever_ready=True)

    assert found.headline == "Exhausted: nothing is idle, 5 booting"


def test_a_pool_that_does_not_fill_up_says_since_when_and_where_to_look() -> None:
    since = NOW - timedelta(hours=3)
    found = verdict(idle=3, short_since=since)

    assert (found.headline, found.since) == (
        "Short: 3 of 5 idle for more than 5 minutes, none booting",
        since,
    )
    assert "ec2-orchestrator plan" in found.advice


def test_a_pool_that_is_emptied_faster_than_it_fills_is_told_from_one_that_does_not_fill() -> None:
    assert "taken faster than they boot" in verdict(idle=3, booting=2, short_since=NOW - PATIENCE).advice


def test_a_limit_with_nothing_missing_is_a_remark() -> None:
    found = verdict(idle=5, limited_by=Limit.MAX_SIZE)

    assert found.headline == "Healthy: 5 idle, 5 wanted"
    assert found.advice.endswith(" In the way of more: the group is at its max size.")


def test_a_limit_counts_who_waits_among_what_is_missing() -> None:
    found = verdict(idle=5, waiting=2, limited_by=Limit.MAX_SIZE)

    assert found.headline == "Limited: 5 of 7 idle; the group is at its max size; 2 projects wait"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"idle": 1200}, "Healthy: 1,200 idle, 1,100 wanted"),
        ({"idle": 1050, "booting": 1000}, "Filling up: 1,050 of 1,100 idle, 1,000 booting"),
        ({"booting": 1100}, "Starting: the first 1,100 instances boot"),
        ({"used": 1, "waiting": 1000}, "Exhausted: nothing is idle, none booting; 1,000 projects wait"),
        ({"idle": 1000, "limited_by": Limit.QUOTA}, "Limited: 1,000 of 1,100 idle; an AWS quota"),
        ({"idle": 1000, "controls": PAUSED}, "Paused by token:ann: 1,000 idle"),
        ({"idle": 1000, "failed": True}, "Blind: AWS cannot be looked at; 1,000 idle when last seen"),
        ({"idle": 1000, "short_since": NOW - PATIENCE}, "Short: 1,000 of 1,100 idle for more than"),
    ],
)
def test_thousands_are_parted_as_in_the_figures(told: dict[str, Any], said: str) -> None:
    assert verdict(buffer=1100, **told).headline.startswith(said)


@pytest.mark.parametrize("limit", Limit)
def test_for_each_limit_there_is_a_cause_and_a_remedy(limit: Limit) -> None:
    limited = verdict(idle=1, limited_by=limit)

    assert limited.headline.startswith("Limited: 1 of 5 idle; ")
    assert limited.advice in REMEDIES[limit]


def test_a_limit_that_only_a_newer_version_knows_is_named() -> None:
    from app.registry.rows import word

    assert verdict(idle=1, limited_by=word(Limit, "moon-phase")).headline.endswith("; moon-phase")
