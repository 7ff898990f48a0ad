"""What every Cloud promises in app/ports.py, one test a promise; test_cloud.py runs it on each of them."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import pytest

from app.domain.errors import AboveMax, CloudError, GroupMissing, OutcomeUnknown, Throttled
from app.domain.model import InstanceId, Lifecycle, Observation, Power, ProjectId, SeenInstance
from app.ports import Cloud, TerminateOutcome
from tests.builders import NOW
from tests.waiting import until

NEVER_BORN = InstanceId("i-0fedcba9876543210")


class World(Protocol):
    """A cloud under test, and what a test makes happen behind its back."""

    @property
    def cloud(self) -> Cloud: ...

    def kill(self, instance: InstanceId) -> None:
        """Terminate an instance in EC2, past the group."""

    def detach(self, instance: InstanceId) -> None:
        """Take a member out of the group and lower desired capacity with it; it keeps running."""

    def stranger(self) -> InstanceId:
        """Return a running instance that is a member of some other group, or of none."""

    def lives(self, instance: InstanceId) -> bool:
        """Tell whether EC2 still runs the instance."""

    def tags(self, instance: InstanceId) -> Mapping[str, str]:
        """Return the tags that EC2 has on the instance."""

    def throttle(self, method: str) -> None:
        """Let AWS refuse every further call of this method of the port."""

    def lose_request(self, method: str) -> None:
        """Lose the next call of this method on its way to AWS, after the connection was made."""

    def lose_answer(self, method: str) -> None:
        """Let AWS carry out the next call of this method, and lose the answer."""


class Create(Protocol):
    """Builds a world with one group of these sizes; members boot quickly unless told otherwise."""

    def __call__(
        self,
        *,
        desired: int = 0,
        min_size: int = 0,
        max_size: int = 10,
        boots: bool = True,
        missing: bool = False,
    ) -> World: ...


Met = Callable[[Observation], bool]


def eventually(world: World, met: Met, *, account_for: Collection[InstanceId] = ()) -> Observation:
    """Look until a look meets the condition, and return that look."""
    looks: list[Observation] = []

    def look_again() -> bool:
        looks.append(world.cloud.observe(account_for))
        return met(looks[-1])

    until(look_again, within=10, what="a look that meets the condition")
    return looks[-1]


def serviceable(look: Observation) -> list[SeenInstance]:
    return [one for one in look.instances.values() if one.serviceable]


def in_service(world: World, count: int) -> list[InstanceId]:
    """Wait until this many members are serviceable and nothing else is a member; return their ids."""
    return list(
        eventually(world, lambda look: len(serviceable(look)) == count == len(look.instances)).instances
    )


def has_left(look: Observation, instance: InstanceId) -> bool:
    """Whether an observation no longer counts the instance in."""
    seen = look.instances.get(instance)
    return seen is None or seen.leaving or not seen.member


class CloudContract:
    """The promises of the Cloud port."""

    # observe

    def test_a_look_tells_the_groups_figures(self, create: Create) -> None:
        group = create(desired=2, min_size=1, max_size=7).cloud.observe(()).group
        assert (group.desired, group.min_size, group.max_size) == (2, 1, 7)

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

    # raise_desired

    def test_raised_desired_capacity_is_seen_by_the_next_look(self, create: Create) -> None:
        world = create(desired=1)
        world.cloud.raise_desired(3)
        assert world.cloud.observe(()).group.desired == 3

    def test_aws_launches_what_desired_capacity_asks_for(self, create: Create) -> None:
        world = create(desired=1)
        world.cloud.raise_desired(3)
        assert len(in_service(world, 3)) == 3

    def test_writing_the_same_desired_capacity_again_changes_nothing(self, create: Create) -> None:
        world = create(desired=2)
        before = in_service(world, 2)
        world.cloud.raise_desired(2)
        assert in_service(world, 2) == before

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
        world = create(desired=1)
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

    # tag_allocation

    def test_an_allocation_is_written_on_the_instance(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        assert (
            dict(world.tags(one)).items()
            >= {
                "ec2-orchestrator:project": "atlas",
                "ec2-orchestrator:allocated-at": "2026-11-22T12:00:00+00:00",
            }.items()
        )

    def test_an_allocation_can_be_written_again(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        assert world.tags(one)["ec2-orchestrator:project"] == "atlas"

    def test_an_instance_that_never_was_cannot_be_written_on(self, create: Create) -> None:
        with pytest.raises(CloudError):
            create().cloud.tag_allocation(NEVER_BORN, ProjectId("atlas"), NOW)

    def test_a_tag_whose_answer_is_lost_may_have_been_written(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.lose_answer("tag_allocation")
        with pytest.raises(OutcomeUnknown):
            world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        assert world.tags(one)["ec2-orchestrator:project"] == "atlas"
