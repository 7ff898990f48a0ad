"""Who holds an instance by its tags: the second copy of the registry."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.actions import Adopt, Discover, MarkMissing, TagAllocation, Terminate, Withdraw
from app.domain.model import InstanceState, Limit, ProjectId
from tests.builders import NOW, a_group, a_look, an_instance, an_observation
from tests.unit.domain.pools import ALLOCATED, BOOTING, IDLE, TERMINATING, a_pool, decide

ALICE = ProjectId("alice")
EARLIER = NOW - timedelta(hours=2)


def test_an_unknown_member_with_a_project_on_it_is_taken_for_allocated() -> None:
    look = a_look(holder="alice", held_since=EARLIER)

    actions = decide(an_observation(look)).actions

    assert Adopt(look, ALICE, since=EARLIER) in actions
    assert not any(isinstance(action, Discover) for action in actions)


@pytest.mark.parametrize("state", [BOOTING, IDLE])
def test_a_tag_that_the_registry_knows_nothing_of_wins(state: InstanceState) -> None:
    look = a_look(holder="alice")
    instance = an_instance(id=look.id, state=state)

    actions = decide(an_observation(look, group=a_group(desired=9)), [instance]).actions

    assert actions == (Adopt(look, ALICE, since=NOW),)


def test_of_several_instances_with_one_project_on_them_the_last_is_its_own() -> None:
    first = a_look(holder="alice", held_since=EARLIER)
    last = a_look(holder="alice", held_since=NOW)

    actions = decide(an_observation(first, last, group=a_group(desired=9))).actions

    assert actions == (Adopt(last, ALICE, since=NOW), Adopt(first, None, since=EARLIER))


def test_what_the_registry_says_of_a_project_outweighs_a_tag_elsewhere() -> None:
    held, stranger = a_look(holder="alice"), a_look(holder="alice", held_since=EARLIER)
    known = an_instance(id=held.id, state=ALLOCATED, project=ALICE, tagged=True)

    actions = decide(an_observation(held, stranger, group=a_group(desired=9)), [known]).actions

    assert actions == (Adopt(stranger, None, since=EARLIER),)


@pytest.mark.parametrize("holder", ["status", "", "no project id", "x" * 64])
def test_what_is_no_project_id_means_used_all_the_same(holder: str) -> None:
    look = a_look(holder=holder)

    actions = decide(an_observation(look, group=a_group(desired=9))).actions

    assert actions == (Adopt(look, None, since=NOW),)


def test_an_instance_in_use_by_nobody_we_know_is_reported_and_left_alone() -> None:
    look = a_look(holder="no project id")
    known = an_instance(id=look.id, state=ALLOCATED, project=None, allocated_at=None)

    decided = decide(an_observation(look, group=a_group(desired=9)), [known])

    assert decided.actions == ()
    assert [notice.code for notice in decided.notices] == ["holder-unknown"]


def test_it_is_given_to_its_project_once_that_holds_nothing_else() -> None:
    look = a_look(holder="alice", held_since=EARLIER)
    known = an_instance(id=look.id, state=ALLOCATED, project=None, allocated_at=None)

    actions = decide(an_observation(look, group=a_group(desired=9)), [known]).actions

    assert actions == (Adopt(look, ALICE, since=EARLIER),)


def test_a_tag_that_names_another_than_the_holder_is_reported_and_not_overwritten() -> None:
    look = a_look(holder="mallory")
    known = an_instance(id=look.id, state=ALLOCATED, project=ALICE, allocated_at=NOW, tagged=False)

    decided = decide(an_observation(look, group=a_group(desired=9)), [known])

    assert not any(isinstance(action, TagAllocation) for action in decided.actions)
    assert [notice.code for notice in decided.notices] == ["holder-disputed"]


def test_our_own_tag_is_no_dispute() -> None:
    look = a_look(holder="alice")
    known = an_instance(id=look.id, state=ALLOCATED, project=ALICE, allocated_at=NOW, tagged=True)

    decided = decide(an_observation(look, group=a_group(desired=9)), [known])

    assert (decided.actions, decided.notices) == ((), ())


def test_an_instance_we_end_is_not_adopted_by_the_tag_it_still_has() -> None:
    look = a_look(holder="alice")
    ending = an_instance(id=look.id, state=TERMINATING)

    actions = decide(an_observation(look, group=a_group(desired=9)), [ending]).actions

    assert [type(action) for action in actions] == [Terminate]


def test_a_used_instance_without_an_address_is_kept_from_everybody_until_it_has_one() -> None:
    looks, known = a_pool(idle=5)
    looks[0] = replace(looks[0], holder="alice", address=None)

    actions = decide(an_observation(*looks, group=a_group(desired=9)), known).actions

    assert [type(action) for action in actions] == [Withdraw]


def test_a_tag_that_every_launch_brings_with_it_does_not_run_the_group_up() -> None:
    looks = [a_look(holder="from-the-template") for _ in range(5)]
    first, *others = (an_instance(id=look.id, state=ALLOCATED, project=None) for look in looks)
    known = [replace(first, project=ProjectId("from-the-template"), tagged=True), *others]

    decided = decide(an_observation(*looks, group=a_group(desired=6)), known)

    assert decided.actions == ()
    assert decided.sizing.limited_by is Limit.CONFIGURATION


def test_many_oddities_make_one_warning_a_kind() -> None:
    looks = [a_look(holder="status") for _ in range(20)]
    known = [an_instance(id=look.id, state=ALLOCATED, project=None) for look in looks]

    (notice,) = decide(an_observation(*looks, group=a_group(desired=99)), known).notices

    assert "(20 in all)" in notice.detail


def test_an_adopted_instance_that_one_look_had_missed_is_found_again() -> None:
    look = a_look(holder="alice", held_since=EARLIER)
    known = an_instance(id=look.id, state=BOOTING, missing_since=EARLIER)

    actions = decide(an_observation(look, group=a_group(desired=9)), [known]).actions

    assert actions == (Adopt(look, ALICE, since=EARLIER), MarkMissing(look.id, since=None))
