"""AwsCloud over HTTP: what is written on instances, and when it is read."""

from collections.abc import Callable

import pytest

from app.aws.gateway import SWEEP_EVERY
from app.domain.errors import AlreadyTagged, CloudUnavailable, Denied, OutcomeUnknown
from app.domain.model import InstanceId, ProjectId
from tests.builders import NOW
from tests.integration.gateway.bench import DETAILS, GROUPS, Bench

ATLAS = ProjectId("atlas")


@pytest.fixture
def member(bench: Bench) -> InstanceId:
    """A member that a look has found settled."""
    (one,) = bench.grown(1)
    bench.look()
    return one


def test_after_an_instance_was_written_on_one_look_reads_it_again(bench: Bench, member: InstanceId) -> None:
    bench.cloud.tag_allocation(member, ATLAS, NOW)
    looks = [bench.calls(bench.look) for _ in range(2)]
    assert looks == [{GROUPS: 1, DETAILS: 1}, {GROUPS: 1}]


@pytest.mark.parametrize(("kind", "holder"), [("drop-after", ATLAS), ("drop", None)])
def test_what_came_of_a_tag_whose_answer_was_lost_is_seen_by_the_next_look(
    bench: Bench, member: InstanceId, kind: str, holder: str | None
) -> None:
    bench.fault("CreateTags", kind, times=1)
    with pytest.raises(OutcomeUnknown):
        bench.cloud.tag_allocation(member, ATLAS, NOW)
    assert bench.look().instances[member].holder == holder


def test_a_tag_that_is_denied_raises_that(bench: Bench, member: InstanceId) -> None:
    bench.deny("CreateTags")
    with pytest.raises(Denied, match="ec2:CreateTags: AccessDenied"):
        bench.cloud.tag_allocation(member, ATLAS, NOW)


def test_a_tag_reads_what_it_is_about_to_write_over(bench: Bench, member: InstanceId) -> None:
    calls = bench.calls(lambda: bench.cloud.tag_allocation(member, ATLAS, NOW))
    assert calls == {DETAILS: 1, "CreateTags": 1}


def test_where_another_name_is_found_no_tag_is_written(bench: Bench, member: InstanceId) -> None:
    bench.operator.tag(member, project="borealis")

    def change() -> None:
        with pytest.raises(AlreadyTagged, match=f"'borealis' is on {member}"):
            bench.cloud.tag_allocation(member, ATLAS, NOW)

    assert bench.calls(change) == {DETAILS: 1}


def test_where_the_tags_cannot_be_read_none_is_written(bench: Bench, member: InstanceId) -> None:
    bench.fault(DETAILS, "html")

    def change() -> None:
        with pytest.raises(CloudUnavailable):
            bench.cloud.tag_allocation(member, ATLAS, NOW)

    assert set(bench.calls(change)) == {DETAILS}
    assert bench.look().instances[member].serviceable


def test_what_others_write_on_a_settled_instance_is_seen_at_the_next_sweep(
    bench: Bench, member: InstanceId
) -> None:
    bench.operator.tag(member, project="borealis")
    before = bench.look().instances[member].holder
    bench.clock.advance(SWEEP_EVERY)
    assert (before, bench.look().instances[member].holder) == (None, "borealis")


def test_a_terminated_instance_still_tells_who_held_it(bench: Bench, member: InstanceId) -> None:
    bench.cloud.tag_allocation(member, ATLAS, NOW)
    bench.simulated.terminate(member)
    bench.settle(1)
    assert bench.cloud.observe([member]).instances[member].holder == ATLAS


@pytest.mark.parametrize("ask", [lambda bench: bench.look(), lambda bench: bench.cloud.observe(["i-1"])])
def test_what_was_read_is_kept_without_asking_again(
    bench: Bench, member: InstanceId, ask: Callable[[Bench], object]
) -> None:
    bench.cloud.tag_allocation(member, ATLAS, NOW)
    bench.look()
    ask(bench)
    assert bench.look().instances[member].holder == ATLAS
