"""AwsCloud over HTTP: instances with the group's tag that are no members."""

from app.aws.gateway import SWEEP_EVERY
from app.domain.model import InstanceId, Lifecycle, Observation, ProjectId
from tests.builders import NOW
from tests.integration.gateway.bench import DETAILS, GROUPS, Bench
from tests.simulated import GROUP, NEVER
from tests.waiting import until


def lost(bench: Bench) -> InstanceId:
    """Let the group lose a member, after a look; the other one stays, and nothing else is launched."""
    one, _ = bench.grown(2)
    bench.look()
    bench.simulated.change_group({"suspended": ["AZRebalance", "Launch"]})
    bench.simulated.lose(one)
    return one


def strays(look: Observation) -> list[InstanceId]:
    return [one.id for one in look.instances.values() if one.lifecycle is Lifecycle.ABSENT]


def test_a_stray_is_found_by_the_next_sweep(bench: Bench) -> None:
    stray = lost(bench)
    before = strays(bench.look())
    bench.clock.advance(SWEEP_EVERY)
    assert (before, strays(bench.look())) == ([], [stray])


def test_a_gateway_that_has_not_looked_yet_finds_a_stray_at_once(bench: Bench) -> None:
    stray = lost(bench)
    assert strays(Bench(bench.simulated, bench.connection).look()) == [stray]


def test_a_stray_that_somebody_held_tells_who_it_was(bench: Bench) -> None:
    one, _ = bench.grown(2)
    bench.look()
    bench.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
    bench.simulated.lose(one)
    bench.clock.advance(SWEEP_EVERY)
    seen = bench.look().instances[one]
    assert (seen.member, seen.holder, seen.held_since) == (False, "atlas", NOW)


def test_a_stray_costs_one_call_at_each_look(bench: Bench) -> None:
    lost(bench)
    bench.clock.advance(SWEEP_EVERY)
    bench.look()
    assert [bench.calls(bench.look) for _ in range(2)] == [{GROUPS: 1, DETAILS: 1}] * 2


def test_a_stray_that_ends_costs_nothing_any_more(bench: Bench) -> None:
    stray = lost(bench)
    bench.clock.advance(SWEEP_EVERY)
    bench.look()
    bench.simulated.terminate(stray)
    assert strays(bench.look()) == []
    assert bench.calls(bench.look) == {GROUPS: 1}


def test_a_stray_that_was_stopped_is_still_one(bench: Bench) -> None:
    stray = lost(bench)
    bench.clock.advance(SWEEP_EVERY)
    bench.simulated.stop_instance(stray)
    assert strays(bench.look()) == [stray]


def test_a_member_that_ended_is_no_stray_though_it_keeps_its_tag(bench: Bench) -> None:
    (one,) = bench.grown(1)
    bench.look()
    bench.cloud.terminate(one)
    until(lambda: one not in bench.look().instances, what="the member left")
    bench.clock.advance(SWEEP_EVERY)
    assert bench.look().instances == {}


def test_an_instance_that_was_detached_is_no_stray_because_aws_takes_the_tag(bench: Bench) -> None:
    (one,) = bench.grown(1)
    bench.operator.groups.detach_instances(
        AutoScalingGroupName=GROUP, InstanceIds=[one], ShouldDecrementDesiredCapacity=True
    )
    assert strays(bench.look()) == []


def test_a_stray_that_becomes_a_member_is_told_of_as_a_member(bench: Bench) -> None:
    stray = lost(bench)
    bench.clock.advance(SWEEP_EVERY)
    bench.look()
    bench.simulated.change_group({"suspended": ["AZRebalance"]})
    bench.operator.groups.attach_instances(AutoScalingGroupName=GROUP, InstanceIds=[stray])
    assert bench.look().instances[stray].lifecycle is Lifecycle.IN_SERVICE
    assert bench.calls(bench.look) == {GROUPS: 1}


def test_where_ec2_does_not_answer_a_stray_is_not_said_to_run(bench: Bench) -> None:
    stray = lost(bench)
    bench.clock.advance(SWEEP_EVERY)
    bench.look()
    bench.fault(DETAILS, "html", times=3)
    look = bench.look()
    assert (stray in look.instances, look.complete) == (False, False)


def test_a_stray_is_remembered_until_ec2_answers_again(bench: Bench) -> None:
    stray = lost(bench)
    bench.clock.advance(SWEEP_EVERY)
    bench.look()
    bench.fault(DETAILS, "html", times=3)
    bench.look()
    assert strays(bench.look()) == [stray]


def test_in_a_group_with_a_warm_pool_nothing_is_called_a_stray(bench: Bench) -> None:
    lost(bench)
    bench.operator.groups.put_warm_pool(AutoScalingGroupName=GROUP)
    bench.clock.advance(SWEEP_EVERY)
    assert strays(bench.look()) == []


def test_a_member_that_boots_is_never_a_stray(bench: Bench) -> None:
    bench.simulated.change_group({"boot_seconds": NEVER})
    bench.simulated.change_group({"desired": 2})
    until(lambda: bench.simulated.state()["group"]["members"] == 2, what="two members")
    assert strays(bench.look()) == []
