"""What is noted of calls of AWS: how they ended, as far as they were made."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from app.aws import AwsCloud
from app.aws.preflight import AwsPreflight
from app.domain.errors import BudgetSpent, CloudError, NotLeading
from app.simulator.cloud import SimulatedCloud
from tests.fakes import FakeClock, FakeMeter
from tests.integration.gateway.bench import GROUPS, Bench
from tests.simulated import GROUP, connected

LOOK, RAISE = "autoscaling:DescribeAutoScalingGroups", "autoscaling:SetDesiredCapacity"
END = "autoscaling:TerminateInstanceInAutoScalingGroup"


@pytest.fixture
def meter() -> FakeMeter:
    return FakeMeter()


@pytest.fixture
def metered(simulated: SimulatedCloud, meter: FakeMeter) -> Iterator[Bench]:
    simulated.reset()
    yield Bench(simulated, connected(simulated, watch=meter.aws_answered))
    simulated.reset()


def test_a_call_that_succeeds_is_noted_with_its_time(metered: Bench, meter: FakeMeter) -> None:
    metered.cloud.raise_desired(1)

    assert meter.aws_calls == [(LOOK, "ok"), (RAISE, "ok")]
    assert all(took > 0 for took in meter.times)


def test_a_call_that_fails_is_noted_with_the_code_of_its_error(metered: Bench, meter: FakeMeter) -> None:
    metered.deny(GROUPS)

    metered.cloud.observe(())

    assert meter.aws_calls[0] == (LOOK, "aws-denied")


def test_a_read_that_is_tried_again_is_one_call(metered: Bench, meter: FakeMeter) -> None:
    metered.fault(GROUPS, code="InternalFailure", status=500, times=1)

    metered.cloud.observe(())

    assert [call for call in meter.aws_calls if call[0] == LOOK] == [(LOOK, "ok")]


def test_a_change_that_may_not_be_sent_any_more_is_no_call(metered: Bench, meter: FakeMeter) -> None:
    def refuse() -> None:
        raise NotLeading

    metered.confirm = refuse

    with pytest.raises(NotLeading):
        metered.cloud.raise_desired(1)

    assert meter.aws_calls == [(LOOK, "ok")]


def test_what_our_own_budget_does_not_allow_is_no_call(simulated: SimulatedCloud, meter: FakeMeter) -> None:
    broke = connected(simulated, watch=meter.aws_answered, clock=lambda: 0.0)
    cloud = AwsCloud(broke, group=GROUP, address="private", clock=FakeClock(), confirm=lambda: None)

    with suppress(BudgetSpent):
        for _ in range(1000):
            cloud.observe(())

    assert len(meter.aws_calls) < 1000
    assert {outcome for _, outcome in meter.aws_calls} == {"ok"}


def test_at_the_min_size_a_termination_is_two_good_calls(metered: Bench, meter: FakeMeter) -> None:
    (instance,) = metered.grown(1)
    metered.simulated.change_group({"min": 1})
    metered.cloud.observe(())

    metered.cloud.terminate(instance)

    assert [call for call in meter.aws_calls if call[0] == END] == [(END, "ok"), (END, "ok")]


def test_what_the_examination_wants_to_be_refused_is_no_error(metered: Bench, meter: FakeMeter) -> None:
    metered.grown(1)
    preflight = AwsPreflight(metered.connection, GROUP, metered.clock, confirm=lambda: None)

    preflight.examine(buffer=5)

    assert (END, "ok") in meter.aws_calls
    assert [call for call in meter.aws_calls if call[1] != "ok"] == []


def test_what_a_call_raises_is_raised_also_where_it_is_noted(metered: Bench) -> None:
    metered.fault("SetDesiredCapacity", code="InternalFailure", status=500)

    with pytest.raises(CloudError):
        metered.cloud.raise_desired(1)
