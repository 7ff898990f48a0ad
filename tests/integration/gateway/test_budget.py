"""Our own budget of AWS calls, over HTTP: what it costs to call, and what happens when it is used up."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from app.aws import AwsCloud, AwsPreflight
from app.aws.errors import InstanceGone
from app.domain.errors import Throttled
from app.domain.model import InstanceId, ProjectId
from tests.builders import NOW
from tests.fake_clock import FakeClock, Stopwatch
from tests.integration.gateway.bench import DETAILS, GROUPS, MEMBERS, Bench
from tests.simulated import GROUP, connected

NOBODY = InstanceId("i-0fedcba9876543210")


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def cloud(bench: Bench, stopwatch: Stopwatch) -> AwsCloud:
    """A gateway with full buckets of a hundred tokens each, that fill only when the stopwatch moves."""
    connection = connected(bench.simulated, clock=stopwatch)
    return AwsCloud(connection, group=GROUP, address="private", clock=FakeClock(), confirm=lambda: None)


def tries(cloud: AwsCloud, action: Callable[[AwsCloud], object]) -> int:
    """Do something until the budget is used up; return how often it went well."""
    for count in range(200):
        try:
            action(cloud)
        except Throttled as error:
            return count if "our own budget" in error.detail else -1
    raise AssertionError("the budget is never used up")


def look(cloud: AwsCloud) -> None:
    cloud.observe(())


def urgent_look(cloud: AwsCloud) -> None:
    cloud.observe((), urgent=True)


def change(cloud: AwsCloud) -> None:
    with suppress(InstanceGone):  # AWS was asked all the same
        cloud.protect([NOBODY])


def tag(cloud: AwsCloud) -> None:
    with suppress(InstanceGone):  # AWS was asked all the same
        cloud.tag_allocation(NOBODY, ProjectId("atlas"), NOW)


def test_a_hundred_looks_may_follow_each_other_at_once(bench: Bench, cloud: AwsCloud) -> None:
    bench.simulated.calls.clear()
    assert tries(cloud, look) == 100
    assert bench.simulated.calls.as_json()["counts"][GROUPS] == 100


def test_five_more_are_allowed_in_each_second(cloud: AwsCloud, stopwatch: Stopwatch) -> None:
    tries(cloud, look)
    stopwatch.seconds += 2
    assert tries(cloud, look) == 10


def test_changes_leave_twenty_calls_to_looks(cloud: AwsCloud) -> None:
    assert (tries(cloud, change), tries(cloud, look)) == (80, 20)


def test_asking_why_instances_are_missing_leaves_twenty_calls_to_looks(cloud: AwsCloud) -> None:
    assert (tries(cloud, lambda cloud: cloud.launch_failures(NOW)), tries(cloud, look)) == (80, 20)


def test_an_examination_waits_until_it_leaves_seventy_calls(bench: Bench, stopwatch: Stopwatch) -> None:
    connection = connected(bench.simulated, clock=stopwatch, sleep=stopwatch.advance)
    cloud = AwsCloud(connection, group=GROUP, address="private", clock=FakeClock(), confirm=lambda: None)
    preflight = AwsPreflight(connection, GROUP, FakeClock(), confirm=lambda: None, patient=True)
    tries(cloud, look)
    began = stopwatch()

    found = preflight.examine(5)

    assert [one.check for one in found if "budget" in one.detail] == []
    assert stopwatch() - began >= (70 + 5) / 5.0 - 0.1
    assert tries(cloud, look) >= 70


def test_what_ec2_is_asked_does_not_count_against_auto_scaling(cloud: AwsCloud) -> None:
    tries(cloud, change)
    assert tries(cloud, tag) == 40  # each reads what it is about to write over


def test_desired_capacity_is_raised_after_the_last_look_that_is_allowed(cloud: AwsCloud) -> None:
    tries(cloud, look)
    assert cloud.raise_desired(1)


def test_desired_capacity_is_raised_while_looks_are_in_debt(bench: Bench, cloud: AwsCloud) -> None:
    bench.grown(60)
    bench.deny(GROUPS)
    tries(cloud, look)
    assert cloud.raise_desired(61)


def test_a_look_that_was_wished_for_is_taken_after_the_last_one_that_is_allowed_and_so_is_its_raise(
    cloud: AwsCloud,
) -> None:
    tries(cloud, look)
    assert tries(cloud, urgent_look) == 5
    assert cloud.raise_desired(1)


def test_where_a_look_takes_many_calls_a_wish_makes_no_debts(bench: Bench, cloud: AwsCloud) -> None:
    bench.deny(GROUPS)
    tries(cloud, look)
    assert tries(cloud, urgent_look) == 0


def test_a_raise_makes_a_hundred_debts_at_most(bench: Bench, cloud: AwsCloud) -> None:
    bench.deny(GROUPS)
    tries(cloud, look)  # and so it is known that desired cannot be read
    assert tries(cloud, lambda cloud: cloud.raise_desired(0)) == 100


def test_what_a_raise_has_borrowed_is_paid_back_first(cloud: AwsCloud, stopwatch: Stopwatch) -> None:
    tries(cloud, look)
    cloud.raise_desired(1)
    stopwatch.seconds += 0.5
    still = tries(cloud, look)
    stopwatch.seconds += 0.2
    assert (still, tries(cloud, look)) == (0, 1)


def test_our_own_budget_is_not_told_as_aws_throttling_us(cloud: AwsCloud) -> None:
    tries(cloud, tag)  # and so EC2 may be asked some twenty times more
    seen = [cloud.observe([NOBODY]) for _ in range(25)][-1]
    assert (seen.complete, seen.throttled, seen.notices) == (False, False, ())


def test_a_service_that_throttles_us_is_left_alone_for_a_while(
    bench: Bench, cloud: AwsCloud, stopwatch: Stopwatch
) -> None:
    bench.throttle("SetDesiredCapacity")
    with pytest.raises(Throttled, match="Rate exceeded"):
        cloud.raise_desired(1)
    assert tries(cloud, look) == 0
    stopwatch.seconds += 1
    assert tries(cloud, look) == 5


def test_after_a_throttled_look_changes_wait_longer_than_looks(
    bench: Bench, cloud: AwsCloud, stopwatch: Stopwatch
) -> None:
    bench.fault(GROUPS, code="Throttling", status=400, times=3)
    with pytest.raises(Throttled):
        look(cloud)
    stopwatch.seconds += 3
    with pytest.raises(Throttled, match=r"our own budget .* for another [0-9.]+ s"):
        change(cloud)
    look(cloud)


def test_the_service_that_did_not_throttle_us_is_asked_as_before(bench: Bench, cloud: AwsCloud) -> None:
    bench.grown(1)
    bench.throttle(DETAILS)
    assert not cloud.observe(()).complete
    look(cloud)


def test_every_page_costs_a_call(bench: Bench, cloud: AwsCloud) -> None:
    bench.grown(60)
    bench.deny(GROUPS)
    look(cloud)  # one call is denied, and two pages read
    bench.simulated.calls.clear()
    assert tries(cloud, look) == 49  # two pages each, of the 97 that are left; the last one goes into debt
    assert bench.simulated.calls.as_json()["counts"][MEMBERS] == 98


def test_what_was_borrowed_is_paid_back_first(bench: Bench, cloud: AwsCloud, stopwatch: Stopwatch) -> None:
    bench.grown(60)
    bench.deny(GROUPS)
    tries(cloud, look)
    stopwatch.seconds += 0.2
    assert tries(cloud, look) == 0


def test_every_attempt_costs_a_call(bench: Bench, cloud: AwsCloud) -> None:
    bench.fault(GROUPS, "html", times=2)
    look(cloud)
    assert tries(cloud, look) == 97
