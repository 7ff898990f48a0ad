"""The Cloud contract: what is written on instances, and what AWS tells of its failures."""

from datetime import UTC, datetime

import pytest

from app.domain.errors import AlreadyTagged, CloudError, Denied, GroupMissing, OutcomeUnknown
from app.domain.model import Limit, ProjectId
from tests.builders import NOW
from tests.contract.cloud_contract.world import (
    A_MINUTE,
    NEVER_BORN,
    Create,
    in_service,
)
from tests.waiting import until


class RecordsContract:
    """Promises of `tag_allocation`, of reading it back, and of `launch_failures`."""

    # tag_allocation

    def test_an_allocation_is_written_on_the_instance(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        assert (
            dict(world.tags(one)).items()
            >= {
                "ec2-orchestrator:project": "atlas",
                "ec2-orchestrator:allocated-at": "2026-11-22T12:00:00.000+00:00",
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

    def test_another_name_is_not_written_over(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.write_tags(one, "borealis", "2026-11-22T11:00:00+00:00")
        before = dict(world.tags(one))
        with pytest.raises(AlreadyTagged, match="borealis"):
            world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        assert world.tags(one) == before

    def test_another_name_that_was_found_is_told_by_the_next_look(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.write_tags(one, "borealis", NOW.isoformat())
        with pytest.raises(AlreadyTagged):
            world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        assert world.cloud.observe(()).instances[one].holder == "borealis"

    @pytest.mark.parametrize("nobody", ["", " "])
    def test_an_empty_name_is_written_over(self, create: Create, nobody: str) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.write_tags(one, nobody, "")
        world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        assert world.tags(one)["ec2-orchestrator:project"] == "atlas"

    def test_the_same_name_is_written_over_with_another_time(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.write_tags(one, "atlas", "2026-11-22T11:00:00+00:00")
        world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        assert world.tags(one)["ec2-orchestrator:allocated-at"] == "2026-11-22T12:00:00.000+00:00"

    # tag_allocation, read back

    def test_what_was_written_on_an_instance_is_seen_by_the_next_look(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        seen = world.cloud.observe(()).instances[one]
        assert (seen.holder, seen.held_since) == ("atlas", NOW)

    def test_what_was_written_on_an_instance_outlives_the_writer(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.cloud.tag_allocation(one, ProjectId("atlas"), NOW)
        seen = world.restarted().observe(()).instances[one]
        assert (seen.holder, seen.held_since) == ("atlas", NOW)

    def test_an_instance_on_which_nothing_is_written_is_held_by_nobody(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        seen = world.cloud.observe(()).instances[one]
        assert (seen.holder, seen.held_since) == (None, None)

    @pytest.mark.parametrize("nobody", ["", " "])
    def test_an_empty_name_is_nobodys(self, create: Create, nobody: str) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.write_tags(one, nobody, NOW.isoformat())
        assert world.restarted().observe(()).instances[one].holder is None

    def test_whoever_is_written_on_an_instance_is_told_as_it_stands(self, create: Create) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.write_tags(one, "no project: §", NOW.isoformat())
        assert world.restarted().observe(()).instances[one].holder == "no project: §"

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2026-11-22T13:00:00+01:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
            ("2026-11-22T12:00:00Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
            ("2026-11-22T12:00:00", None),  # in which time zone?
            ("yesterday", None),
            ("", None),
        ],
    )
    def test_a_time_that_is_none_is_not_told(
        self, create: Create, text: str, moment: datetime | None
    ) -> None:
        world = create(desired=1)
        (one,) = in_service(world, 1)
        world.write_tags(one, "atlas", text)
        seen = world.restarted().observe(()).instances[one]
        assert (seen.holder, seen.held_since) == ("atlas", moment)

    # launch_failures

    def test_where_every_launch_succeeds_none_failed(self, create: Create) -> None:
        world = create(desired=2)
        in_service(world, 2)
        assert not world.cloud.launch_failures(world.now() - A_MINUTE)

    @pytest.mark.parametrize("limit", [Limit.CAPACITY, Limit.QUOTA, Limit.CONFIGURATION])
    def test_a_launch_that_fails_is_told_of_with_its_reason(self, create: Create, limit: Limit) -> None:
        world = create()
        world.run_out(1, limit)
        since = world.now() - A_MINUTE
        world.cloud.raise_desired(2)
        newest = until(lambda: world.cloud.launch_failures(since), what="a failed launch")[0]
        assert (newest.limit, bool(newest.message), bool(newest.zone)) == (limit, True, True)
        assert since <= newest.at <= world.now()

    def test_what_failed_earlier_is_not_told_of(self, create: Create) -> None:
        world = create()
        world.run_out(0, Limit.CAPACITY)
        world.cloud.raise_desired(1)
        until(lambda: world.cloud.launch_failures(world.now() - A_MINUTE), what="a failed launch")
        assert not world.cloud.launch_failures(world.now() + A_MINUTE)

    def test_failed_launches_of_a_missing_group_cannot_be_told(self, create: Create) -> None:
        world = create(missing=True)
        with pytest.raises(GroupMissing):
            world.cloud.launch_failures(world.now())

    def test_failed_launches_that_may_not_be_read_are_denied(self, create: Create) -> None:
        world = create()
        world.deny("launch_failures")
        with pytest.raises(Denied):
            world.cloud.launch_failures(world.now())
