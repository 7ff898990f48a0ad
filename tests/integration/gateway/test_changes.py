"""AwsCloud over HTTP: what is sent, and answers that are lost or late."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.aws import Account, AwsCloud, Connection
from app.domain.errors import (
    CloudError,
    CloudUnavailable,
    NotLeading,
    OrchestratorError,
    OutcomeUnknown,
    RegistryUnavailable,
    Throttled,
)
from app.domain.model import InstanceId, ProjectId
from app.ports import TerminateOutcome
from app.simulator.cloud import SimulatedCloud
from app.simulator.faults import Fault
from tests.builders import NOW, an_instance_id
from tests.fakes import FakeClock
from tests.integration.gateway.bench import GROUPS, Bench
from tests.simulated import GROUP, KEYS, a_simulated_cloud, connected

CHANGES: dict[str, Callable[[AwsCloud, InstanceId], object]] = {
    "SetDesiredCapacity": lambda cloud, _: cloud.raise_desired(2),
    "TerminateInstanceInAutoScalingGroup": lambda cloud, one: cloud.terminate(one),
    "SetInstanceProtection": lambda cloud, one: cloud.protect([one]),
    "CreateTags": lambda cloud, one: cloud.tag_allocation(one, ProjectId("atlas"), NOW),
}


@contextmanager
def a_gateway_that_waits_too_long_for(action: str) -> Iterator[AwsCloud]:
    """It waits a second for an answer, at a cloud of its own: what comes late must meet no other test."""
    with a_simulated_cloud() as slow:
        slow.faults.add(Fault("delay", action, seconds=600))
        connection = connected(slow, read_timeout=1.0)
        yield AwsCloud(connection, group=GROUP, address="private", clock=FakeClock(), confirm=lambda: None)


# Who may change anything.


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("refusal", [NotLeading("another leads"), RegistryUnavailable("no answer")])
def test_a_change_that_is_not_confirmed_is_not_made(
    bench: Bench, action: str, refusal: OrchestratorError
) -> None:
    (one,) = bench.grown(1)
    bench.look()

    def refuse() -> None:
        raise refusal

    bench.confirm = refuse

    def change() -> None:
        with pytest.raises(type(refusal)):
            CHANGES[action](bench.cloud, one)

    assert action not in bench.calls(change)


def test_a_change_is_confirmed_after_what_it_reads_first(bench: Bench) -> None:
    """The answer to that may take its time."""
    bench.grown(1)
    made_before: list[dict[str, int]] = []
    bench.confirm = lambda: made_before.append(bench.simulated.calls.as_json()["counts"])

    bench.calls(lambda: bench.cloud.raise_desired(2))

    assert made_before == [{GROUPS: 1}]


def test_an_ending_at_min_size_is_confirmed_twice_because_it_is_two_changes(bench: Bench) -> None:
    (one,) = bench.grown(1)
    bench.simulated.change_group({"min": 1})
    bench.look()
    confirmed: list[str] = []
    bench.confirm = lambda: confirmed.append("yes")

    bench.cloud.terminate(one)

    assert len(confirmed) == 2


def test_looking_needs_no_confirmation(bench: Bench) -> None:
    def refuse() -> None:
        raise NotLeading("another leads")

    bench.confirm = refuse

    bench.look()


# When answers are lost or late.


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("kind", ["drop", "drop-after", "html"])
def test_a_change_without_an_answer_has_an_unknown_outcome(bench: Bench, action: str, kind: str) -> None:
    (one,) = bench.grown(1)
    bench.look()
    bench.fault(action, kind)
    with pytest.raises(OutcomeUnknown):
        CHANGES[action](bench.cloud, one)


@pytest.mark.parametrize("action", CHANGES)
@pytest.mark.parametrize("kind", ["drop", "drop-after", "html", "error"])
def test_a_change_is_never_attempted_twice(bench: Bench, action: str, kind: str) -> None:
    (one,) = bench.grown(1)
    bench.look()
    bench.fault(action, kind)

    def change() -> None:
        with pytest.raises(OutcomeUnknown):
            CHANGES[action](bench.cloud, one)

    assert bench.calls(change)[action] == 1


def test_a_throttled_change_is_not_attempted_again(bench: Bench) -> None:
    bench.fault("SetDesiredCapacity", code="Throttling", status=400, message="Rate exceeded")

    def change() -> None:
        with pytest.raises(Throttled):
            bench.cloud.raise_desired(1)

    assert bench.calls(change)["SetDesiredCapacity"] == 1


def test_a_change_that_takes_too_long_has_an_unknown_outcome() -> None:
    with (
        a_gateway_that_waits_too_long_for("SetDesiredCapacity") as cloud,
        pytest.raises(OutcomeUnknown, match="ReadTimeoutError"),
    ):
        cloud.raise_desired(1)


def test_a_look_that_takes_too_long_finds_aws_unavailable() -> None:
    with (
        a_gateway_that_waits_too_long_for(GROUPS) as cloud,
        pytest.raises(CloudUnavailable, match="ReadTimeoutError"),
    ):
        cloud.observe(())


def test_a_look_that_a_proxy_answers_finds_aws_unavailable(bench: Bench) -> None:
    bench.fault(GROUPS, "html")
    with pytest.raises(CloudUnavailable):
        bench.look()


@pytest.mark.parametrize("kind", ["drop", "html", "error"])
def test_a_read_that_fails_twice_is_tried_a_third_time(bench: Bench, kind: str) -> None:
    bench.fault(GROUPS, kind, times=2)
    assert bench.calls(bench.look)[GROUPS] == 3


def test_where_nobody_listens_nothing_was_changed(simulated: SimulatedCloud) -> None:
    nowhere = Connection(Account(region="us-east-1", keys=KEYS), endpoint_url="http://127.0.0.1:9")
    cloud = AwsCloud(nowhere, group=GROUP, address="private", clock=FakeClock(), confirm=lambda: None)
    with pytest.raises(CloudUnavailable):
        cloud.raise_desired(1)


# What is sent.


def test_at_the_min_size_a_termination_takes_a_second_call_without_the_decrement(bench: Bench) -> None:
    (one,) = bench.grown(1)
    bench.simulated.change_group({"min": 1})
    bench.look()
    calls = bench.calls(lambda: bench.cloud.terminate(one))
    assert calls == {"TerminateInstanceInAutoScalingGroup": 2}


def test_an_instance_that_is_no_member_costs_no_call_to_terminate(bench: Bench) -> None:
    bench.look()
    assert bench.calls(lambda: bench.cloud.terminate(an_instance_id())) == {}


def test_a_gateway_that_has_not_looked_yet_looks_before_it_terminates(bench: Bench) -> None:
    (one,) = bench.grown(1)
    assert bench.cloud.terminate(one) is TerminateOutcome.ACCEPTED


def test_protecting_nobody_costs_no_call(bench: Bench) -> None:
    assert bench.calls(lambda: bench.cloud.protect([])) == {}


def test_fifty_members_are_protected_by_one_call(bench: Bench) -> None:
    bench.simulated.change_group({"protect": False})
    members = bench.grown(50)
    assert bench.calls(lambda: bench.cloud.protect(members)) == {"SetInstanceProtection": 1}
    assert all(one.protected for one in bench.look().instances.values())


def test_no_cooldown_is_waited_for(bench: Bench) -> None:
    bench.cloud.raise_desired(1)
    assert bench.sent()[-1]["HonorCooldown"] == "false"


def test_a_raise_reads_what_it_is_about_to_write_over(bench: Bench) -> None:
    bench.look()
    assert bench.calls(lambda: bench.cloud.raise_desired(1)) == {GROUPS: 1, "SetDesiredCapacity": 1}


def test_where_desired_capacity_is_as_high_by_now_nothing_is_written(bench: Bench) -> None:
    bench.look()
    bench.simulated.change_group({"desired": 2})
    assert bench.calls(lambda: bench.cloud.raise_desired(2)) == {GROUPS: 1}


def test_the_look_before_a_raise_leaves_the_members_out(bench: Bench) -> None:
    bench.look()
    bench.calls(lambda: bench.cloud.raise_desired(1))
    assert [params.get("IncludeInstances") for params in bench.sent()] == ["false", None]


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"kind": "html"}, CloudUnavailable), ({"code": "Throttling", "status": 400}, Throttled)],
)
def test_where_desired_capacity_cannot_be_read_at_the_moment_nothing_is_written(
    bench: Bench, fault: dict[str, Any], error: type[CloudError]
) -> None:
    bench.look()
    bench.fault(GROUPS, **fault)

    def change() -> None:
        with pytest.raises(error):
            bench.cloud.raise_desired(1)

    assert set(bench.calls(change)) == {GROUPS}
