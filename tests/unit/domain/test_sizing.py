"""How large the group should be, and what keeps it from being so."""

from dataclasses import replace

import pytest

from app.domain.actions import RaiseDesired
from app.domain.model import Lifecycle, Limit, Power
from app.domain.setbacks import BootFailures, LaunchFailure, Setbacks
from app.domain.sizing import desired_capacity
from tests.builders import NOW, a_group, a_look, an_instance, an_observation
from tests.unit.domain.pools import BOOTING, a_pool, decide


@pytest.mark.parametrize(
    ("total", "idle", "becomes"),
    [(10, 2, 13), (8, 1, 12), (15, 7, 15)],
)
def test_the_seeds_scaling_table(total: int, idle: int, becomes: int) -> None:
    looks, known = a_pool(idle=idle, used=total - idle)

    decided = decide(an_observation(*looks), known)

    assert decided.sizing.target == becomes
    raised = [action for action in decided.actions if isinstance(action, RaiseDesired)]
    assert raised == ([RaiseDesired(total, becomes)] if becomes > total else [])


def test_desired_capacity_is_allocated_and_waiting_and_buffer() -> None:
    assert desired_capacity(allocated=8, waiting=2, buffer=5) == 15


def test_an_empty_group_fills_from_zero() -> None:
    assert decide(an_observation()).actions == (RaiseDesired(0, 5),)


def test_booting_instances_are_never_added_twice() -> None:
    pending = [a_look(lifecycle=Lifecycle.PENDING, power=Power.PENDING, address=None) for _ in range(5)]
    known = [an_instance(id=look.id, state=BOOTING) for look in pending]

    assert decide(an_observation(*pending), known).actions == ()


def test_what_was_asked_for_and_is_not_listed_yet_is_not_asked_for_again() -> None:
    assert decide(an_observation(group=a_group(desired=5))).actions == ()


def test_desired_is_never_lowered() -> None:
    looks, known = a_pool(idle=7)

    assert decide(an_observation(*looks, group=a_group(desired=9)), known).actions == ()


def test_max_size_clamps_and_says_so() -> None:
    looks, known = a_pool(used=8)

    decided = decide(an_observation(*looks, group=a_group(desired=8, max_size=10)), known)

    assert decided.actions == (RaiseDesired(8, 10),)
    assert decided.sizing.limited_by is Limit.MAX_SIZE


def test_a_max_size_below_desired_changes_nothing() -> None:
    looks, known = a_pool(idle=1, used=9)

    decided = decide(an_observation(*looks, group=a_group(desired=10, max_size=4)), known)

    assert decided.actions == ()
    assert decided.sizing.limited_by is Limit.MAX_SIZE


def test_a_pool_with_a_full_buffer_is_not_limited() -> None:
    looks, known = a_pool(idle=5)

    assert (
        decide(an_observation(*looks, group=a_group(desired=5, max_size=5)), known).sizing.limited_by is None
    )


def test_those_who_wait_count_as_demand() -> None:
    assert decide(an_observation(), waiting=3).actions == (RaiseDesired(0, 8),)


def test_an_allocated_instance_that_is_leaving_needs_no_place() -> None:
    looks, known = a_pool(idle=5, used=1)
    looks[-1] = replace(looks[-1], lifecycle=Lifecycle.LEAVING)

    decided = decide(an_observation(*looks), known)

    assert not any(isinstance(action, RaiseDesired) for action in decided.actions)


def test_where_desired_cannot_be_read_a_protected_group_is_sized_by_its_members() -> None:
    looks, known = a_pool(idle=2, used=8)
    blind = a_group(desired=None, min_size=None, max_size=None)

    assert decide(an_observation(*looks, group=blind), known).actions == (RaiseDesired(10, 13),)


def test_where_desired_cannot_be_read_an_unprotected_group_is_never_resized() -> None:
    looks, known = a_pool(idle=2, used=8)
    looks[4] = replace(looks[4], protected=False)
    blind = a_group(desired=None, min_size=None, max_size=None)

    decided = decide(an_observation(*looks, group=blind), known)

    assert not any(isinstance(action, RaiseDesired) for action in decided.actions)
    assert decided.sizing.limited_by is Limit.AWS_ERRORS


# What went wrong before


def a_failed_launch(limit: Limit) -> Setbacks:
    return Setbacks(
        launch=LaunchFailure(limit=limit, message="AWS's own sentence.", at=NOW, zone="eu-west-1a")
    )


@pytest.mark.parametrize("limit", [Limit.CAPACITY, Limit.QUOTA, Limit.CONFIGURATION])
def test_missing_members_are_explained_by_what_aws_said(limit: Limit) -> None:
    looks, known = a_pool(idle=2)

    decided = decide(an_observation(*looks, group=a_group(desired=5)), known, setbacks=a_failed_launch(limit))

    assert decided.sizing.limited_by is limit
    (notice,) = decided.notices
    assert notice.code == f"launch-{limit}"
    assert "eu-west-1a" in notice.detail
    assert "AWS's own sentence." in notice.detail


@pytest.mark.parametrize(
    ("limit", "raised"), [(Limit.CAPACITY, True), (Limit.QUOTA, False), (Limit.CONFIGURATION, False)]
)
def test_more_is_asked_for_only_where_waiting_may_bring_it(limit: Limit, raised: bool) -> None:
    looks, known = a_pool(idle=2, used=3)

    decided = decide(an_observation(*looks, group=a_group(desired=6)), known, setbacks=a_failed_launch(limit))

    assert (decided.sizing.target > 6) is raised


def test_a_suspended_launch_process_is_named_as_the_reason() -> None:
    looks, known = a_pool(idle=2)

    decided = decide(an_observation(*looks, group=a_group(desired=5, launches=False)), known)

    assert decided.sizing.limited_by is Limit.CONFIGURATION


def test_boot_failures_limit_a_pool_that_lacks_idle_instances() -> None:
    setbacks = Setbacks(boots=(BootFailures(count=3, template="lt-1:7", last_at=NOW),))
    looks, known = a_pool(idle=4)
    full, all_known = a_pool(idle=5)

    assert decide(an_observation(*looks), known, setbacks=setbacks).sizing.limited_by is Limit.BOOT_FAILURES
    assert decide(an_observation(*full), all_known, setbacks=setbacks).sizing.limited_by is None


def test_two_boot_failures_are_bad_luck() -> None:
    looks, known = a_pool(idle=4)

    decided = decide(an_observation(*looks), known, setbacks=Setbacks(boots=(BootFailures(count=2),)))

    assert (decided.sizing.limited_by, decided.notices) == (None, ())
