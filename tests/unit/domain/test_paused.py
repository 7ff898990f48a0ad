"""A paused pool: the registry is kept up to date, and nothing is changed at AWS or decided to be."""

from dataclasses import replace
from datetime import timedelta

from app.domain.actions import Discover, MarkMissing, MarkTerminating
from app.domain.boots import conclude_boots
from app.domain.controls import Controls
from app.domain.model import DEFAULT_POOL, EndReason, Limit, Policy
from tests.builders import NOW, a_group, a_look, an_instance, an_observation
from tests.unit.domain.pools import BOOTING, TERMINATING, a_pool, decide

PAUSED = Policy(paused=True)


def test_a_paused_pool_is_not_filled_up() -> None:
    looks, known = a_pool(idle=1, used=7)

    planned = decide(an_observation(*looks, group=a_group(desired=8)), known, policy=PAUSED)

    assert planned.actions == ()
    assert (planned.sizing.wanted, planned.sizing.target) == (12, 8)


def test_a_paused_pool_says_that_it_is_limited_by_that() -> None:
    looks, known = a_pool(idle=5)

    assert decide(an_observation(*looks), known, policy=PAUSED).sizing.limited_by is Limit.PAUSED


def test_a_destroyed_instance_is_not_terminated_while_its_pool_is_paused() -> None:
    looks, known = a_pool(idle=5, used=1)
    ending = replace(known[-1], state=TERMINATING, end_reason=EndReason.DESTROYED)
    world = an_observation(*looks), [*known[:-1], ending]

    assert decide(*world, policy=PAUSED).actions == ()
    assert decide(*world).actions != ()


def test_members_are_neither_protected_nor_tagged_while_their_pool_is_paused() -> None:
    looks, known = a_pool(idle=5, used=1)
    bare = [replace(look, protected=False) for look in looks]
    untagged = [replace(one, tagged=False) for one in known]

    assert decide(an_observation(*bare), untagged, policy=PAUSED).actions == ()


def test_what_happens_at_aws_is_noted_all_the_same() -> None:
    looks, known = a_pool(idle=5, used=1)
    new = a_look()

    planned = decide(an_observation(*looks[:-1], new), known, policy=PAUSED)

    assert planned.actions == (Discover(new), MarkMissing(known[-1].id, since=NOW))


def test_an_overdue_instance_is_not_replaced_while_its_pool_is_paused() -> None:
    look = a_look()
    long_ago = NOW - timedelta(hours=1)
    late = an_instance(
        id=look.id, state=BOOTING, state_since=long_ago, in_service_since=long_ago, address=None
    )
    booting, known = [look], {late.id: late}

    def conclude(policy: Policy) -> list[object]:
        return list(conclude_boots(booting, known, (), (), policy=policy, now=NOW))

    assert conclude(PAUSED) == []
    assert isinstance(conclude(Policy())[0], MarkTerminating)


def test_an_instance_that_is_ready_is_offered_while_its_pool_is_paused() -> None:
    look = a_look()
    new = an_instance(id=look.id, state=BOOTING, in_service_since=NOW, address=None)

    offered = list(conclude_boots([look], {new.id: new}, {new.id}, (), policy=PAUSED, now=NOW))

    assert len(offered) == 1


def test_controls_stand_over_what_the_settings_want() -> None:
    wanted = Policy(buffer=5)
    untouched = Controls(pool=DEFAULT_POOL)

    assert untouched.over(wanted) == wanted
    assert replace(untouched, buffer=0).over(wanted) == replace(wanted, buffer=0)
    assert replace(untouched, paused_at=NOW).over(wanted) == replace(wanted, paused=True)
