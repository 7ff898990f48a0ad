"""What a pass does where our own budget of AWS calls is used up: no alarm, and nothing is forgotten."""

from datetime import timedelta

import structlog
from structlog.testing import capture_logs

from app.domain.errors import BudgetSpent
from app.domain.model import DEFAULT_POOL, InstanceState, Limit
from tests.unit.service.pools import Pool

SPENT = BudgetSpent("not called", wait=1.5)


def test_a_look_that_was_put_off_says_when_to_try_again_and_is_no_failure(pool: Pool) -> None:
    pool.cloud.fail("observe", SPENT)

    report = pool.tick()

    assert (report.put_off, report.failed, report.throttled) == (1.5, False, False)


def test_a_look_that_was_put_off_leaves_what_is_shown_as_it_was(pool: Pool) -> None:
    pool.cloud.run_out(2)
    pool.tick(8)
    before = pool.registry.view(DEFAULT_POOL)
    pool.cloud.fail("observe", SPENT)

    pool.tick()

    assert pool.registry.view(DEFAULT_POOL) == before
    assert before.limited_by is Limit.CAPACITY


def test_what_boots_gets_idle_while_looks_are_put_off(pool: Pool) -> None:
    pool.prober.ready = set()
    pool.tick(4)
    assert pool.count(InstanceState.IDLE) == 0
    pool.cloud.fail("observe", SPENT)
    pool.prober.ready = None

    pool.tick()

    assert pool.count(InstanceState.IDLE) == 5


def test_a_raise_that_was_put_off_is_no_limit_and_no_warning(pool: Pool) -> None:
    pool.cloud.fail("raise_desired", SPENT)

    report = pool.tick()

    assert report.put_off == 1.5
    assert pool.limits() == (None, [])


def test_a_raise_that_was_put_off_is_made_by_the_next_pass(pool: Pool) -> None:
    pool.cloud.fail("raise_desired", SPENT)

    pool.tick(2)

    assert pool.cloud.desired == 5


def test_a_tag_that_was_put_off_hurries_nobody(pool: Pool) -> None:
    pool.tick(6)
    pool.claim("alice")
    pool.cloud.fail("tag_allocation", SPENT)

    report = pool.tick()

    assert (pool.called("tag_allocation"), report.put_off) == (1, None)


def test_tags_do_not_hold_up_the_next_pass_that_somebody_waits_for(pool: Pool) -> None:
    pool.tick(6)
    for project in ("alice", "bob", "carol"):
        pool.claim(project)

    pool.reconciler.tick(wanted=lambda: True)

    assert pool.called("tag_allocation") == 1


def test_a_pool_in_which_somebody_always_waits_gets_its_tags_nevertheless(pool: Pool) -> None:
    pool.tick(6)
    for project in ("alice", "bob", "carol"):
        pool.claim(project)

    for _ in range(3):
        pool.reconciler.tick(wanted=lambda: True)

    assert pool.called("tag_allocation") == 3


def test_a_question_that_was_put_off_is_asked_by_the_next_pass(pool: Pool) -> None:
    pool.tick(6)
    pool.cloud.run_out(5)
    pool.claim("alice")
    pool.cloud.fail("launch_failures", SPENT)

    pool.tick(8)

    assert pool.called("launch_failures") == 2
    assert pool.limited_by is Limit.CAPACITY


def test_a_budget_that_is_used_up_is_logged_once_and_not_as_a_failure(pool: Pool) -> None:
    pool.cloud.fail("observe", SPENT, times=3)
    pool.cloud.fail("raise_desired", SPENT)
    structlog.reset_defaults()

    with capture_logs() as told:
        pool.tick(6)

    assert [line["log_level"] for line in told if line["event"] == "pass.put_off"] == ["info"]
    assert {line["event"] for line in told} == {"pass.put_off", "pass.finished"}


def test_a_budget_that_is_used_up_another_time_is_logged_again(pool: Pool) -> None:
    structlog.reset_defaults()

    with capture_logs() as told:
        for _ in range(2):
            pool.cloud.fail("observe", SPENT)
            pool.tick(2)

    assert sum(line["event"] == "pass.put_off" for line in told) == 2


def test_an_urgent_pass_takes_an_urgent_look(pool: Pool) -> None:
    pool.reconciler.tick()
    assert pool.cloud.urgent_looks == 0

    pool.clock.advance(timedelta(seconds=2))
    pool.reconciler.tick(urgent=True)

    assert pool.cloud.urgent_looks == 1
