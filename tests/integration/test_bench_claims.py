"""Which call of AWS's has room for which claim, and when projects ask."""

import pytest

from bench.aws import Call
from bench.claims import Claim, moments, on_the_wire

SET = "SetDesiredCapacity"


def test_a_claim_waits_for_the_call_that_has_room_for_it() -> None:
    claims = [Claim(at=10.0, latency=0.01), Claim(at=10.2, latency=0.01), Claim(at=10.3, latency=0.01)]
    calls = [
        Call(SET, 10.1, 51),
        Call("DescribeAutoScalingGroups", 10.4, None),
        Call(SET, 10.7, 53),
    ]

    assert on_the_wire(claims, calls, before=50) == pytest.approx([0.1, 0.5, 0.4])


def test_a_claim_that_aws_never_heard_of_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="52"):
        on_the_wire([Claim(1.0, 0.1), Claim(1.1, 0.1)], [Call(SET, 1.2, 51)], before=50)


def test_each_stretch_of_time_has_one_project_that_asks() -> None:
    assert [int(moment * 4) for moment in moments(100, rate=4.0)] == list(range(100))
