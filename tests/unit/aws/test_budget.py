"""The bucket of tokens itself; what it costs over HTTP stands in tests/integration/gateway/test_budget.py."""

from threading import Barrier, Thread

import pytest

from app.aws.budget import BURST, DEBT, LEAST, LEISURE, LOOK_DEBT, RESERVE, Budget, shares
from app.domain.errors import BudgetSpent, Throttled
from app.settings.pools import MOST_POOLS
from tests.fake_clock import Stopwatch


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def budget(stopwatch: Stopwatch) -> Budget:
    (whole,) = shares(stopwatch, per_second=5.0)
    return whole


def spent(budget: Budget, tokens: float) -> None:
    for _ in range(int(tokens)):
        budget.charge()


def allowed(budget: Budget, *, leaving: float = 0.0) -> bool:
    try:
        budget.let_in("ec2:DescribeInstances", leaving=leaving)
    except Throttled:
        return False
    return True


def test_a_full_bucket_lets_everything_in(budget: Budget) -> None:
    assert (allowed(budget), allowed(budget, leaving=RESERVE)) == (True, True)


def test_being_let_in_costs_nothing_by_itself(budget: Budget) -> None:
    spent(budget, BURST - 1)
    assert all(allowed(budget) for _ in range(5))


def test_an_empty_bucket_lets_nothing_in(budget: Budget) -> None:
    spent(budget, BURST)
    assert not allowed(budget)


def test_changes_are_refused_before_looks_are(budget: Budget) -> None:
    spent(budget, BURST - RESERVE)
    assert (allowed(budget, leaving=RESERVE), allowed(budget)) == (False, True)


def test_a_change_is_let_in_while_it_leaves_the_reserve(budget: Budget) -> None:
    spent(budget, BURST - RESERVE - 1)
    assert allowed(budget, leaving=RESERVE)


def test_what_may_go_into_debt_is_let_in_where_nothing_else_is(budget: Budget) -> None:
    spent(budget, BURST + DEBT - 1)
    assert (allowed(budget), allowed(budget, leaving=-DEBT)) == (False, True)


def test_the_debt_has_an_end(budget: Budget) -> None:
    spent(budget, BURST + DEBT)
    assert not allowed(budget, leaving=-DEBT)


def test_what_may_go_into_debt_is_let_in_where_aws_throttles(budget: Budget) -> None:
    budget.drain()
    assert allowed(budget, leaving=-DEBT)


def test_a_bucket_fills_with_time(budget: Budget, stopwatch: Stopwatch) -> None:
    spent(budget, BURST)
    stopwatch.seconds += 0.2
    assert allowed(budget)


def test_a_bucket_never_holds_more_than_a_burst(budget: Budget, stopwatch: Stopwatch) -> None:
    stopwatch.seconds += 3600
    spent(budget, BURST)
    assert not allowed(budget)


def test_a_debt_is_paid_back_first(budget: Budget, stopwatch: Stopwatch) -> None:
    spent(budget, BURST + 10)
    stopwatch.seconds += 2
    still = allowed(budget)
    stopwatch.seconds += 0.2
    assert (still, allowed(budget)) == (False, True)


def test_a_drained_bucket_is_empty(budget: Budget, stopwatch: Stopwatch) -> None:
    budget.drain()
    now = allowed(budget)
    stopwatch.seconds += 0.2
    assert (now, allowed(budget)) == (False, True)


def test_draining_forgives_no_debt(budget: Budget, stopwatch: Stopwatch) -> None:
    spent(budget, BURST + 10)
    budget.drain()
    stopwatch.seconds += 2
    assert not allowed(budget)


def test_a_refusal_says_whose_it_is_and_how_long_it_lasts(budget: Budget) -> None:
    budget.drain()
    with pytest.raises(Throttled) as caught:
        budget.let_in("ec2:CreateTags", leaving=RESERVE)
    assert caught.value.detail == (
        "ec2:CreateTags: not called, because our own budget of AWS calls is used up for another 4.2 s."
    )


def waits(budget: Budget, leaving: float = 0.0) -> float:
    with pytest.raises(BudgetSpent) as caught:
        budget.let_in("autoscaling:SomeAction", leaving=leaving)
    return round(caught.value.wait, 6)


def test_a_look_that_was_refused_is_let_in_after_the_wait_it_was_told(
    budget: Budget, stopwatch: Stopwatch
) -> None:
    spent(budget, BURST + 4)

    stopwatch.seconds += waits(budget) + 0.001

    assert allowed(budget)


def test_a_change_that_was_refused_is_let_in_after_its_wait_and_a_look(
    budget: Budget, stopwatch: Stopwatch
) -> None:
    spent(budget, BURST)

    stopwatch.seconds += waits(budget, leaving=RESERVE) + 0.001
    budget.charge()

    assert allowed(budget, leaving=RESERVE)


def test_a_look_that_was_wished_for_goes_into_debt_as_far_as_leaves_a_raise(budget: Budget) -> None:
    spent(budget, BURST + LOOK_DEBT - 1)
    assert (allowed(budget), allowed(budget, leaving=-LOOK_DEBT)) == (False, True)

    budget.charge()

    assert (allowed(budget, leaving=-LOOK_DEBT), allowed(budget, leaving=-DEBT)) == (False, True)


def test_threads_pay_for_every_request(budget: Budget) -> None:
    start = Barrier(5)

    def pay() -> None:
        start.wait()
        spent(budget, BURST / 5)

    threads = [Thread(target=pay) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not allowed(budget)


# Several pools


def refused(budget: Budget) -> int:
    """Return how many calls are let in one after the other before one is refused."""
    count = 0
    while allowed(budget):
        budget.charge()
        count += 1
    return count


def test_a_pool_that_uses_up_its_share_leaves_the_others_theirs(stopwatch: Stopwatch) -> None:
    busy, other = shares(stopwatch, per_second=5.0, among=2)
    assert refused(busy) == BURST / 2

    assert refused(other) == BURST / 2


def test_a_pool_that_aws_throttles_leaves_the_others_theirs(stopwatch: Stopwatch) -> None:
    throttled, other = shares(stopwatch, per_second=5.0, among=2)
    throttled.drain()

    assert (allowed(throttled), refused(other)) == (False, BURST / 2)


def test_a_pool_alone_at_work_is_given_what_flows_over_from_those_at_rest(stopwatch: Stopwatch) -> None:
    busy, *_ = shares(stopwatch, per_second=5.0, among=4)
    refused(busy)

    stopwatch.seconds += 2

    assert refused(busy) == 10


def test_pools_that_are_all_at_work_share_the_rate(stopwatch: Stopwatch) -> None:
    some = shares(stopwatch, per_second=5.0, among=5)
    for budget in some:
        refused(budget)

    stopwatch.seconds += 4

    assert [refused(budget) for budget in some] == [4] * 5


def test_a_debt_of_one_is_not_paid_by_another(stopwatch: Stopwatch) -> None:
    indebted, other = shares(stopwatch, per_second=5.0, among=2)
    spent(indebted, BURST / 2 + 50)
    refused(other)

    stopwatch.seconds += 4

    assert (allowed(indebted), refused(other)) == (False, 10)


def test_a_share_is_never_more_than_its_part_of_the_burst(stopwatch: Stopwatch) -> None:
    some = shares(stopwatch, per_second=5.0, among=4)

    stopwatch.seconds += 3600

    assert [refused(budget) for budget in some] == [BURST / 4] * 4


def test_of_a_share_changes_leave_their_part_of_the_reserve(stopwatch: Stopwatch) -> None:
    budget, _ = shares(stopwatch, per_second=5.0, among=2)
    spent(budget, (BURST - RESERVE) / 2 - 1)
    assert allowed(budget, leaving=RESERVE)

    budget.charge()

    assert (allowed(budget, leaving=RESERVE), allowed(budget)) == (False, True)


def test_a_share_in_want_alone_waits_shorter_than_one_among_others(stopwatch: Stopwatch) -> None:
    some = shares(stopwatch, per_second=5.0, among=5)
    refused(some[0])
    alone = waits(some[0])
    for budget in some[1:]:
        refused(budget)

    assert (alone, waits(some[0])) == (0.2, 1.0)


def test_of_a_small_share_changes_leave_room_for_two_looks(stopwatch: Stopwatch) -> None:
    budget, *_ = shares(stopwatch, per_second=5.0, among=MOST_POOLS)
    spent(budget, BURST / MOST_POOLS - LEAST)

    assert (allowed(budget, leaving=RESERVE), allowed(budget)) == (False, True)


def test_with_the_most_pools_there_may_be_a_full_share_has_room_for_an_examination(
    stopwatch: Stopwatch,
) -> None:
    some = shares(stopwatch, per_second=5.0, among=MOST_POOLS)

    assert all(allowed(budget, leaving=LEISURE) for budget in some)


def test_with_the_most_pools_there_may_be_all_raise_twice_at_once_and_look_after_it(
    stopwatch: Stopwatch,
) -> None:
    some = shares(stopwatch, per_second=5.0, among=MOST_POOLS)

    for budget in some:
        for leaving in (-LOOK_DEBT, -DEBT, -DEBT) * 2:
            assert allowed(budget, leaving=leaving)
            budget.charge()
        assert allowed(budget, leaving=-LOOK_DEBT)


def test_with_the_most_pools_there_may_be_each_can_look_and_change(stopwatch: Stopwatch) -> None:
    some = shares(stopwatch, per_second=5.0, among=MOST_POOLS)

    assert all(allowed(budget, leaving=RESERVE) for budget in some)
