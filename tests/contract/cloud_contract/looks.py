"""The Cloud contract: what a look shows."""

import pytest

from app.domain.errors import GroupMissing, Throttled
from app.domain.model import Lifecycle, Power
from tests.builders import NOW
from tests.contract.cloud_contract.world import (
    NEVER_BORN,
    Create,
    eventually,
    in_service,
    serviceable,
)


class LooksContract:
    """Promises of `observe`."""

    def test_a_look_tells_the_groups_figures(self, create: Create) -> None:
        group = create(desired=2, min_size=1, max_size=7).cloud.observe(()).group
        assert (group.desired, group.min_size, group.max_size) == (2, 1, 7)

    def test_every_look_tells_the_same_arn_of_the_group(self, create: Create) -> None:
        cloud = create().cloud
        first, second = (cloud.observe(()).group.arn for _ in range(2))
        assert (first is not None and first.startswith("arn:"), second) == (True, first)

    def test_where_the_groups_figures_cannot_be_read_neither_can_its_arn(self, create: Create) -> None:
        world = create()
        world.hide_figures()
        assert world.cloud.observe(()).group.arn is None

    def test_a_look_lists_every_member(self, create: Create) -> None:
        assert len(create(desired=3).cloud.observe(()).instances) == 3

    def test_a_member_that_boots_is_pending(self, create: Create) -> None:
        (seen,) = create(desired=1, boots=False).cloud.observe(()).instances.values()
        assert seen.lifecycle is Lifecycle.PENDING

    def test_a_member_that_has_booted_is_serviceable(self, create: Create) -> None:
        assert len(in_service(create(desired=2), 2)) == 2

    def test_a_member_in_service_is_protected_where_the_group_protects(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        assert world.cloud.observe(()).instances[one].protected

    def test_a_look_that_read_everything_is_complete(self, create: Create) -> None:
        assert create(desired=1).cloud.observe((NEVER_BORN,)).complete

    def test_an_instance_that_never_was_is_listed_nowhere(self, create: Create) -> None:
        seen = create().cloud.observe((NEVER_BORN,)).instances.get(NEVER_BORN)
        assert seen is None or seen.unlisted

    def test_a_member_that_was_killed_behind_our_back_is_not_serviceable(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.kill(one)
        eventually(world, lambda look: one not in {seen.id for seen in serviceable(look)})

    def test_a_member_that_was_killed_behind_our_back_is_replaced_by_aws(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.kill(one)
        eventually(world, lambda look: len(serviceable(look)) == 1 and one not in look.instances)

    def test_an_instance_that_is_gone_is_told_to_be_terminated_where_it_is_asked_for(
        self, create: Create
    ) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.terminate(one)
        gone = eventually(world, lambda look: not look.instances[one].member, account_for=[one])
        assert gone.instances[one].power is Power.TERMINATED

    def test_an_instance_that_is_gone_is_not_told_of_where_nobody_asks(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.terminate(one)
        eventually(world, lambda look: one not in look.instances)

    def test_an_instance_that_was_detached_is_no_member_and_still_running(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.detach(one)
        look = eventually(world, lambda look: not look.instances[one].member, account_for=[one])
        assert look.instances[one].power is Power.RUNNING

    def test_members_of_other_groups_never_appear(self, create: Create) -> None:
        world = create(desired=1)
        assert world.stranger() not in world.cloud.observe(()).instances

    def test_a_missing_group_is_reported_as_missing(self, create: Create) -> None:
        with pytest.raises(GroupMissing):
            create(missing=True).cloud.observe(())

    def test_a_look_that_aws_throttles_raises(self, create: Create) -> None:
        world = create()
        world.throttle("observe")
        with pytest.raises(Throttled):
            world.cloud.observe(())

    def test_a_look_that_nothing_throttles_says_so(self, create: Create) -> None:
        assert not create(desired=1, boots=False).cloud.observe(()).throttled

    def test_a_look_of_which_aws_throttles_a_part_is_incomplete_and_says_why(self, create: Create) -> None:
        world = create(desired=1, boots=False)
        world.throttle_details()
        look = world.cloud.observe(())
        assert (look.throttled, look.complete) == (True, False)

    def test_a_look_of_which_aws_throttles_a_part_says_of_no_new_member_that_it_runs(
        self, create: Create
    ) -> None:
        world = create(desired=2, boots=False)
        world.throttle_details()
        members = world.cloud.observe(()).instances.values()
        assert [(one.power, one.address) for one in members] == [(Power.UNKNOWN, None)] * 2

    def test_the_look_after_one_that_aws_throttled_is_whole_again(self, create: Create) -> None:
        world = create(desired=1, boots=False)
        world.throttle_details()
        world.cloud.observe(())
        look = world.cloud.observe(())
        assert (look.throttled, look.complete) == (False, True)

    def test_a_group_launches(self, create: Create) -> None:
        assert create().cloud.observe(()).group.launches

    def test_a_group_whose_launches_are_suspended_says_so(self, create: Create) -> None:
        world = create()
        world.suspend_launches()
        assert not world.cloud.observe(()).group.launches

    def test_a_member_tells_what_it_was_launched_from(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        assert world.cloud.observe(()).instances[one].template == world.template

    def test_a_stray_is_told_of_and_is_no_member(self, create: Create) -> None:
        world = create(desired=1)
        in_service(world, 1)
        stray = world.stray()
        seen = world.cloud.observe(()).instances[stray]
        assert (seen.lifecycle, seen.power) == (Lifecycle.ABSENT, Power.RUNNING)

    def test_a_stray_is_told_of_by_each_look_that_follows(self, create: Create) -> None:
        world = create(desired=1)
        in_service(world, 1)
        stray = world.stray()
        assert all(stray in world.cloud.observe(()).instances for _ in range(3))

    def test_a_stray_that_is_terminated_is_told_of_no_more(self, create: Create) -> None:
        world = create(desired=1)
        in_service(world, 1)
        stray = world.stray()
        world.cloud.observe(())
        world.kill(stray)
        eventually(world, lambda look: stray not in look.instances)

    def test_a_stray_tells_who_holds_it(self, create: Create) -> None:
        world = create(desired=1)
        in_service(world, 1)
        stray = world.stray()
        world.write_tags(stray, "atlas", NOW.isoformat())
        seen = world.cloud.observe(()).instances[stray]
        assert (seen.member, seen.holder) == (False, "atlas")

    def test_a_stray_tells_who_holds_it_from_when_somebody_writes_it(self, create: Create) -> None:
        world = create(desired=1)
        in_service(world, 1)
        stray = world.stray()
        before = world.cloud.observe(()).instances[stray].holder
        world.write_tags(stray, "atlas", NOW.isoformat())
        assert (before, world.cloud.observe(()).instances[stray].holder) == (None, "atlas")
