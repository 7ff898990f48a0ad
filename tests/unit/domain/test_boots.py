"""From launched to idle: who is probed, offered, and replaced."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.actions import MarkIdle, MarkTerminating
from app.domain.boots import boots, conclude_boots
from app.domain.model import EndReason, Instance, InstanceId, Lifecycle, Power, ProjectId, SeenInstance
from app.domain.setbacks import BootFailures
from tests.builders import NOW, a_look, an_instance, an_observation
from tests.unit.domain.pools import ALLOCATED, BOOTING, IDLE, POLICY


def concluded(
    look: SeenInstance, instance: Instance, *, ready: bool, beside: Instance | None = None
) -> list[MarkIdle | MarkTerminating]:
    passed = {look.id} if ready else set()
    known = {one.id: one for one in (instance, beside) if one is not None}
    return list(conclude_boots([look], known, passed, [], policy=POLICY, now=NOW))


def test_a_booting_instance_that_passed_its_probe_is_offered() -> None:
    look = a_look(address="10.0.0.7")
    instance = an_instance(id=look.id, state=BOOTING, state_since=NOW)

    assert concluded(look, instance, ready=True) == [MarkIdle(look.id, "10.0.0.7", 8080)]


def test_the_port_on_the_instances_tag_wins() -> None:
    look = a_look(address="10.0.0.7", port=9999)
    instance = an_instance(id=look.id, state=BOOTING, state_since=NOW)

    assert concluded(look, instance, ready=True) == [MarkIdle(look.id, "10.0.0.7", 9999)]


@pytest.mark.parametrize(
    "unfit",
    [{"healthy": False}, {"power": Power.STOPPED}, {"address": None}],
    ids=["unhealthy", "stopped", "no address"],
)
def test_running_alone_is_not_ready(unfit: dict[str, object]) -> None:
    look = a_look(**unfit)
    instance = an_instance(id=look.id, state=BOOTING, state_since=NOW)

    assert concluded(look, instance, ready=True) == []


def booting_for(look: SeenInstance, seconds: float) -> Instance:
    since = NOW - timedelta(seconds=seconds)
    return an_instance(id=look.id, state=BOOTING, state_since=since, in_service_since=since)


def test_a_booting_instance_has_time_to_become_ready() -> None:
    look = a_look()

    assert concluded(look, booting_for(look, 299), ready=False) == []


def test_a_booting_instance_that_takes_too_long_is_replaced() -> None:
    look = a_look()

    assert concluded(look, booting_for(look, 300), ready=False) == [
        MarkTerminating(look.id, expect=BOOTING, reason=EndReason.BOOT_TIMEOUT)
    ]


def test_an_overdue_instance_that_is_ready_after_all_is_offered() -> None:
    look = a_look()

    assert [type(action) for action in concluded(look, booting_for(look, 3600), ready=True)] == [MarkIdle]


def test_the_time_to_become_ready_does_not_run_while_aws_prepares_the_instance() -> None:
    look = a_look()
    instance = replace(booting_for(look, 3600), in_service_since=NOW - timedelta(seconds=299))

    assert concluded(look, instance, ready=False) == []


def test_a_withdrawn_instance_has_its_time_anew() -> None:
    look = a_look()
    instance = replace(booting_for(look, 3600), state_since=NOW - timedelta(seconds=299))

    assert concluded(look, instance, ready=False) == []


@pytest.mark.parametrize(
    "look",
    [a_look(power=Power.UNKNOWN, address=None), a_look(address=None)],
    ids=["EC2 was not asked", "no address to probe"],
)
def test_an_instance_that_cannot_be_probed_is_not_replaced_for_it(look: SeenInstance) -> None:
    assert concluded(look, booting_for(look, 3600), ready=False) == []


def test_an_instance_that_was_claimed_meanwhile_is_left_alone() -> None:
    look = a_look()
    instance = an_instance(id=look.id, state=ALLOCATED, project=ProjectId("p"))

    assert concluded(look, instance, ready=True) == []


@pytest.mark.parametrize("lifecycle", [Lifecycle.PENDING, Lifecycle.OTHER, Lifecycle.LEAVING])
def test_only_what_aws_has_in_service_is_probed(lifecycle: Lifecycle) -> None:
    look = a_look(lifecycle=lifecycle)
    known = {look.id: an_instance(id=look.id, state=BOOTING)}

    assert boots(an_observation(look), known) == ()


def test_what_is_used_by_its_tags_is_neither_offered_nor_replaced() -> None:
    look = a_look(holder="somebody")

    assert boots(an_observation(look), {look.id: booting_for(look, 3600)}) == ()
    assert [type(one) for one in concluded(look, booting_for(look, 1), ready=True)] == []


def test_an_instance_that_stopped_answering_has_less_time_than_one_that_boots() -> None:
    look = a_look()
    fallen = replace(booting_for(look, 60), address=look.address)

    assert concluded(look, fallen, ready=False, beside=an_instance(state=IDLE)) == [
        MarkTerminating(look.id, expect=BOOTING, reason=EndReason.UNHEALTHY)
    ]
    assert concluded(look, booting_for(look, 60), ready=False) == []


def test_where_most_stopped_answering_at_once_they_have_the_time_of_a_boot() -> None:
    look = a_look()
    fallen = replace(booting_for(look, 299), address=look.address)

    assert concluded(look, fallen, ready=False) == []
    assert len(concluded(look, replace(booting_for(look, 300), address=look.address), ready=False)) == 1


# Boot failures in a row

TEMPLATE = "lt-0123456789abcdef0:3"


def overdue(count: int, template: str = TEMPLATE) -> tuple[list[SeenInstance], dict[InstanceId, Instance]]:
    looks = [a_look(template=template) for _ in range(count)]
    return looks, {look.id: replace(booting_for(look, 300), template=template) for look in looks}


def replaced(
    count: int, failures: BootFailures, *, ready: Collection[InstanceId] = (), template: str = TEMPLATE
) -> int:
    looks, known = overdue(count, template)
    conclusions = conclude_boots(looks, known, ready, [failures], policy=POLICY, now=NOW)
    return sum(isinstance(one, MarkTerminating) for one in conclusions)


def failed(count: int, ago: float) -> BootFailures:
    return BootFailures(count=count, template=TEMPLATE, last_at=NOW - timedelta(seconds=ago))


def test_after_three_failures_in_a_row_the_others_are_not_replaced_at_once() -> None:
    assert replaced(5, BootFailures()) == 3


def test_then_one_at_a_time_is_replaced_after_a_while() -> None:
    assert replaced(5, failed(3, ago=299)) == 0
    assert replaced(5, failed(3, ago=300)) == 1


def test_each_further_failure_doubles_the_time_up_to_an_hour() -> None:
    assert replaced(5, failed(4, ago=599)) == 0
    assert replaced(5, failed(4, ago=600)) == 1
    assert replaced(5, failed(40, ago=3599)) == 0
    assert replaced(5, failed(40, ago=3600)) == 1


def test_another_launch_template_version_is_not_blamed() -> None:
    assert replaced(1, failed(3, ago=0), template="lt-0123456789abcdef0:4") == 1


def test_one_that_becomes_ready_ends_the_row() -> None:
    looks, known = overdue(2)
    fine = a_look(template=TEMPLATE)
    known[fine.id] = replace(booting_for(fine, 10), template=TEMPLATE)

    conclusions = conclude_boots([*looks, fine], known, {fine.id}, [failed(3, ago=0)], policy=POLICY, now=NOW)

    assert [type(one) for one in conclusions] == [MarkTerminating, MarkTerminating, MarkIdle]


def test_a_version_that_is_no_longer_launched_is_replaced_at_once() -> None:
    looks, known = overdue(4)
    newer = an_instance(template="lt-0123456789abcdef0:4", launched_at=NOW)
    known[newer.id] = newer

    conclusions = list(conclude_boots(looks, known, (), [failed(5, ago=0)], policy=POLICY, now=NOW))

    assert len(conclusions) == 4


def test_two_versions_that_fail_in_turn_are_both_slowed_down() -> None:
    looks, known = overdue(4)
    newer = an_instance(template="another:1", launched_at=NOW)
    known[newer.id] = newer
    another = BootFailures(count=3, template="another:1", last_at=NOW)

    conclusions = conclude_boots(looks, known, (), [failed(5, ago=0), another], policy=POLICY, now=NOW)

    assert list(conclusions) == []


def test_what_was_in_service_for_long_before_we_knew_of_it_is_not_ended_for_its_silence() -> None:
    """After the loss of the database: somebody may be using it whose tag was not written."""
    look = a_look()
    stranger = replace(booting_for(look, 3600), launched_at=NOW - timedelta(days=1))

    assert concluded(look, stranger, ready=False) == []
    assert [type(one) for one in concluded(look, stranger, ready=True)] == [MarkIdle]
