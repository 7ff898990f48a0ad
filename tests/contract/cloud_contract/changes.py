"""The Cloud contract: what is changed at AWS."""

import pytest

from app.domain.errors import AboveMax, CloudError, Denied, GroupMissing, OutcomeUnknown, Throttled
from app.domain.model import InstanceId
from app.ports import TerminateOutcome
from tests.contract.cloud_contract.world import (
    NEVER_BORN,
    Create,
    eventually,
    has_left,
    in_service,
    serviceable,
)


class ChangesContract:
    """Promises of `raise_desired`, `terminate` and `protect`."""

    # raise_desired

    def test_raised_desired_capacity_is_seen_by_the_next_look(self, create: Create) -> None:
        world = create(desired=1)
        world.cloud.raise_desired(3)
        assert world.cloud.observe(()).group.desired == 3

    def test_aws_launches_what_desired_capacity_asks_for(self, create: Create) -> None:
        world = create(desired=1)
        world.cloud.raise_desired(3)
        assert len(in_service(world, 3)) == 3

    def test_a_raise_that_was_written_says_so(self, create: Create) -> None:
        assert create(desired=1).cloud.raise_desired(2)

    def test_writing_the_same_desired_capacity_again_changes_nothing(self, create: Create) -> None:
        world = create(desired=2)
        before = in_service(world, 2)
        assert not world.cloud.raise_desired(2)
        assert in_service(world, 2) == before

    def test_what_somebody_else_raised_since_the_look_is_not_lowered(self, create: Create) -> None:
        world = create(desired=1)
        world.cloud.observe(())
        world.set_desired(4)
        assert not world.cloud.raise_desired(3)
        assert world.cloud.observe(()).group.desired == 4

    def test_what_somebody_else_lowered_since_the_look_is_raised(self, create: Create) -> None:
        world = create(desired=2)
        world.cloud.observe(())
        world.set_desired(1)
        assert world.cloud.raise_desired(2)
        assert world.cloud.observe(()).group.desired == 2

    def test_where_desired_capacity_cannot_be_read_it_is_written_in_any_case(self, create: Create) -> None:
        world = create(desired=2)
        world.hide_figures()
        assert world.cloud.raise_desired(2)

    def test_where_looks_could_not_read_desired_capacity_it_is_written_in_any_case(
        self, create: Create
    ) -> None:
        world = create(desired=2)
        world.hide_figures()
        assert world.cloud.observe(()).group.desired is None
        assert world.cloud.raise_desired(2)

    def test_more_than_the_max_size_is_refused(self, create: Create) -> None:
        with pytest.raises(AboveMax):
            create(max_size=2).cloud.raise_desired(3)

    def test_what_was_refused_has_not_happened(self, create: Create) -> None:
        world = create(desired=1, max_size=2)
        with pytest.raises(AboveMax):
            world.cloud.raise_desired(3)
        assert world.cloud.observe(()).group.desired == 1

    def test_desired_capacity_of_a_missing_group_cannot_be_raised(self, create: Create) -> None:
        with pytest.raises(GroupMissing):
            create(missing=True).cloud.raise_desired(1)

    def test_a_raise_whose_answer_is_lost_may_have_happened(self, create: Create) -> None:
        world = create(desired=1)
        world.lose_answer("raise_desired")
        with pytest.raises(OutcomeUnknown):
            world.cloud.raise_desired(2)
        assert world.cloud.observe(()).group.desired == 2

    def test_a_raise_that_is_lost_on_its_way_may_not_have_happened(self, create: Create) -> None:
        world = create(desired=1)
        world.lose_request("raise_desired")
        with pytest.raises(OutcomeUnknown):
            world.cloud.raise_desired(2)
        assert world.cloud.observe(()).group.desired == 1

    # terminate

    def test_a_member_in_service_can_be_terminated(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        assert world.cloud.terminate(one) is TerminateOutcome.ACCEPTED

    def test_a_terminated_member_leaves(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.terminate(one)
        assert has_left(world.cloud.observe(()), one)

    def test_a_termination_lowers_desired_capacity_by_one(self, create: Create) -> None:
        world = create(desired=2)
        world.cloud.terminate(in_service(world, 2)[0])
        assert world.cloud.observe(()).group.desired == 1

    def test_a_termination_leaves_all_other_members_alone(self, create: Create) -> None:
        world = create(desired=3)
        one, *others = in_service(world, 3)
        world.cloud.terminate(one)
        assert sorted(in_service(world, 2)) == sorted(others)

    def test_at_the_min_size_a_termination_keeps_desired_capacity(self, create: Create) -> None:
        world = create(desired=2, min_size=2)
        world.cloud.terminate(in_service(world, 2)[0])
        assert world.cloud.observe(()).group.desired == 2

    def test_at_the_min_size_a_terminated_member_is_replaced(self, create: Create) -> None:
        world = create(desired=1, min_size=1)
        (one,) = in_service(world, 1)
        world.cloud.terminate(one)
        eventually(world, lambda look: len(serviceable(look)) == 1 and one not in look.instances)

    def test_a_member_that_is_leaving_is_busy(self, create: Create) -> None:
        world = create(desired=1, ends=False)
        (one,) = in_service(world, 1)
        world.cloud.terminate(one)
        assert world.cloud.terminate(one) is TerminateOutcome.BUSY

    def test_terminating_twice_lowers_desired_capacity_once(self, create: Create) -> None:
        world = create(desired=2)
        one, _ = in_service(world, 2)
        world.cloud.terminate(one)
        world.cloud.terminate(one)
        assert world.cloud.observe(()).group.desired == 1

    def test_a_member_that_still_boots_is_busy(self, create: Create) -> None:
        world = create(desired=1, boots=False)
        (one,) = eventually(world, lambda look: len(look.instances) == 1).instances
        assert world.cloud.terminate(one) is TerminateOutcome.BUSY

    def test_a_member_that_has_left_is_already_gone(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.terminate(one)
        eventually(world, lambda look: one not in look.instances)
        assert world.cloud.terminate(one) is TerminateOutcome.ALREADY_GONE

    def test_an_instance_that_never_was_is_already_gone(self, create: Create) -> None:
        assert create().cloud.terminate(NEVER_BORN) is TerminateOutcome.ALREADY_GONE

    def test_an_instance_of_another_group_is_never_ended(self, create: Create) -> None:
        world = create()
        stranger = world.stranger()
        outcome = world.cloud.terminate(stranger)
        assert (outcome, world.lives(stranger)) == (TerminateOutcome.ALREADY_GONE, True)

    def test_a_termination_whose_answer_is_lost_may_have_happened(self, create: Create) -> None:
        world = create(desired=2)
        one, _ = in_service(world, 2)
        world.lose_answer("terminate")
        with pytest.raises(OutcomeUnknown):
            world.cloud.terminate(one)
        look = world.cloud.observe(())
        assert (has_left(look, one), look.group.desired) == (True, 1)

    def test_a_termination_that_is_lost_on_its_way_may_not_have_happened(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.lose_request("terminate")
        with pytest.raises(OutcomeUnknown):
            world.cloud.terminate(one)
        assert world.cloud.observe(()).instances[one].serviceable

    def test_a_termination_that_aws_throttles_raises(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.throttle("terminate")
        with pytest.raises(Throttled):
            world.cloud.terminate(one)

    # protect

    def test_a_protected_member_is_seen_to_be(self, create: Create) -> None:
        world = create(desired=2, protects=False)
        both = in_service(world, 2)
        world.cloud.protect(both)
        look = world.cloud.observe(())
        assert all(look.instances[one].protected for one in both)

    def test_members_that_nobody_protects_are_seen_to_be_unprotected(self, create: Create) -> None:
        world = create(desired=2, protects=False)
        one, other = in_service(world, 2)
        world.cloud.protect([one])
        assert not world.cloud.observe(()).instances[other].protected

    def test_protecting_again_changes_nothing(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.protect([one])
        assert world.cloud.observe(()).instances[one].protected

    def test_protecting_nobody_changes_nothing(self, create: Create) -> None:
        create().cloud.protect([])

    def test_a_member_that_still_boots_cannot_be_protected(self, create: Create) -> None:
        world = create(desired=1, boots=False)
        booting = world.cloud.observe(()).instances
        with pytest.raises(CloudError):
            world.cloud.protect(booting.keys())

    def test_one_that_is_no_member_spoils_the_whole_call(self, create: Create) -> None:
        world = create(desired=1, protects=False)
        (one,) = in_service(world, 1)
        with pytest.raises(CloudError):
            world.cloud.protect([one, NEVER_BORN])
        assert not world.cloud.observe(()).instances[one].protected

    def test_more_than_fifty_cannot_be_protected_at_once(self, create: Create) -> None:
        with pytest.raises(CloudError):
            create().cloud.protect([InstanceId(f"i-{number:017x}") for number in range(51)])

    def test_a_protection_that_is_denied_raises_that(self, create: Create) -> None:
        world = create(desired=1)
        members = in_service(world, 1)
        world.deny("protect")
        with pytest.raises(Denied):
            world.cloud.protect(members)

    def test_a_protection_whose_answer_is_lost_may_have_happened(self, create: Create) -> None:
        world = create(desired=1, protects=False)
        (one,) = in_service(world, 1)
        world.lose_answer("protect")
        with pytest.raises(OutcomeUnknown):
            world.cloud.protect([one])
        assert world.cloud.observe(()).instances[one].protected
