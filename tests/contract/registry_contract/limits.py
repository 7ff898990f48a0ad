"""How long allocations last, who makes them last longer, and who says that he has got one."""

from datetime import datetime, timedelta

import pytest

from app.domain.errors import AllocationNotFound, TtlTooLong
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, Allocation, InstanceId, ProjectId
from app.domain.terms import TermsPolicy
from app.ports import Claimed, Registry
from tests.builders import NOW
from tests.contract.registry_contract.world import (
    ALICE,
    BOB,
    SECOND,
    claim,
    history,
    hold,
    idle,
    known,
)
from tests.fakes import FakeClock

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
AT_MOST_AN_HOUR = {DEFAULT_POOL: TermsPolicy(max_ttl=HOUR)}


def renew(
    registry: Registry,
    ttl: timedelta | None,
    project: ProjectId = ALICE,
    *,
    now: datetime = NOW,
) -> Allocation:
    return registry.renew(project, ttl, policies={}, actor="somebody", now=now)


def _one_after_the_other(registry: Registry) -> tuple[InstanceId, InstanceId]:
    """What a project held, and what it got after that: to be confirmed, and with a time limit."""
    idle(registry)
    idle(registry, since=SECOND)
    first = claim(registry, ALICE, SECOND, confirm_within=MINUTE).allocation.instance
    registry.release(ALICE, actor="tester", now=NOW + SECOND)
    second = claim(registry, ALICE, SECOND, lasts=MINUTE, confirm_within=MINUTE).allocation.instance
    return first, second


class LimitsContract:
    """Subclasses give the fixtures `registry` and `clock`, by which the registry's database goes."""

    # Allocations with a time limit

    def test_an_allocation_has_no_time_limit_unless_one_is_asked_for(self, registry: Registry) -> None:
        instance = idle(registry)

        made = claim(registry, ALICE).allocation

        assert (made.expires_at, made.confirm_by) == (None, None)
        assert known(registry, instance).expires_at is None

    def test_a_time_limit_is_kept_with_the_allocation(self, registry: Registry) -> None:
        instance = idle(registry)

        assert claim(registry, ALICE, lasts=MINUTE).allocation.expires_at == NOW + MINUTE
        assert known(registry, instance).expires_at == NOW + MINUTE

    def test_a_time_limit_counts_from_the_time_of_the_database_whatever_that_of_the_replica_is(
        self, registry: Registry, clock: FakeClock
    ) -> None:
        idle(registry)
        clock.advance(MINUTE)

        claimed = claim(registry, ALICE, 30 * MINUTE, lasts=MINUTE, confirm_within=SECOND)

        assert claimed.allocation.expires_at == NOW + 2 * MINUTE
        assert claimed.allocation.confirm_by == NOW + MINUTE + SECOND

    def test_who_asks_again_gets_what_he_holds_with_the_limit_that_it_has(self, registry: Registry) -> None:
        idle(registry)
        first = claim(registry, ALICE, lasts=MINUTE)

        assert claim(registry, ALICE, lasts=2 * MINUTE) == Claimed(first.allocation, created=False)

    def test_who_asks_again_when_the_end_is_to_be_announced_leaves_that_to_the_leader(
        self, registry: Registry, clock: FakeClock
    ) -> None:
        idle(registry)
        first = claim(registry, ALICE, lasts=MINUTE)
        clock.advance(30 * SECOND)

        assert claim(registry, ALICE, 30 * SECOND) == Claimed(first.allocation, created=False)
        assert history(registry)[-1].kind is EventKind.ALLOCATION_CREATED

    # Those whose time is over, or that should have been confirmed

    def test_a_project_whose_time_is_over_unannounced_is_told_and_goes_on_for_a_while(
        self, registry: Registry, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=4 * SECOND)
        clock.advance(10 * SECOND)

        again = claim(registry, ALICE, 10 * SECOND)

        assert (again.created, again.allocation.instance) == (False, instance)
        assert again.allocation.expires_at == NOW + 11 * SECOND  # its lead was two seconds, half of it counts
        assert known(registry, instance).expires_at == again.allocation.expires_at
        assert history(registry)[-1].kind is EventKind.ALLOCATION_EXPIRING

    def test_a_project_that_did_not_confirm_in_time_keeps_what_it_has_until_somebody_looks_at_it(
        self, registry: Registry, clock: FakeClock
    ) -> None:
        first, _ = idle(registry), idle(registry, since=SECOND)
        claim(registry, ALICE, confirm_within=MINUTE)
        clock.advance(MINUTE)

        claimed = claim(registry, ALICE, MINUTE)

        assert (claimed.created, claimed.allocation.instance) == (False, first)
        assert known(registry, first).end_reason is None

    def test_what_is_held_for_inspection_stays_the_projects_though_its_time_is_over(
        self, registry: Registry, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        first = claim(registry, ALICE, lasts=MINUTE, confirm_within=MINUTE).allocation
        hold(registry, instance)
        clock.advance(1000 * MINUTE)

        assert claim(registry, ALICE) == Claimed(first, created=False)

    # Renewals

    def test_a_renewal_moves_the_end_and_is_told(self, registry: Registry, clock: FakeClock) -> None:
        instance = idle(registry)
        held = claim(registry, ALICE, lasts=MINUTE).allocation
        clock.advance(10 * SECOND)

        renewed = renew(registry, MINUTE)

        assert renewed.expires_at == known(registry, instance).expires_at == NOW + MINUTE + 10 * SECOND
        assert (renewed.instance, renewed.url, renewed.state) == (held.instance, held.url, held.state)
        assert claim(registry, ALICE).allocation == renewed
        told = history(registry)[-1]
        assert (told.kind, told.actor, told.project) == (EventKind.ALLOCATION_RENEWED, "somebody", ALICE)
        assert told.reason == "until 2026-11-22T12:01:10+00:00"

    def test_a_renewal_can_take_the_limit_away(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=MINUTE)

        assert renew(registry, None).expires_at is None
        assert known(registry, instance).expires_at is None
        assert history(registry)[-1].reason == "without a time limit"

    def test_a_renewal_that_changes_nothing_is_not_told(self, registry: Registry) -> None:
        idle(registry)
        claim(registry, ALICE, lasts=MINUTE)
        events = len(history(registry))

        assert renew(registry, MINUTE).expires_at == NOW + MINUTE
        assert len(history(registry)) == events

    def test_a_renewal_of_nothing_is_refused(self, registry: Registry) -> None:
        idle(registry)
        claim(registry, ALICE)
        registry.release(ALICE, actor="tester", now=NOW)

        for project in (ALICE, BOB):
            with pytest.raises(AllocationNotFound):
                renew(registry, MINUTE, project)

    def test_of_what_the_project_does_not_hold_any_more_no_other_is_renewed(self, registry: Registry) -> None:
        first, second = _one_after_the_other(registry)
        before, events = known(registry, second), len(history(registry))

        with pytest.raises(AllocationNotFound, match=f"{second} by now, and not {first}"):
            registry.renew(ALICE, HOUR, policies={}, only=first, actor="tester", now=NOW)

        assert known(registry, second) == before
        assert len(history(registry)) == events

    def test_what_is_meant_is_renewed(self, registry: Registry) -> None:
        _, second = _one_after_the_other(registry)

        renewed = registry.renew(ALICE, HOUR, policies={}, only=second, actor="tester", now=NOW)

        assert renewed.expires_at == known(registry, second).expires_at == NOW + HOUR

    @pytest.mark.parametrize("ttl", [timedelta(hours=2), None])
    def test_a_renewal_beyond_what_its_pool_allows_is_refused(
        self, registry: Registry, ttl: timedelta | None
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=MINUTE)
        before = known(registry, instance)

        with pytest.raises(TtlTooLong, match="3600 seconds at most"):
            registry.renew(ALICE, ttl, policies=AT_MOST_AN_HOUR, actor="tester", now=NOW)

        assert known(registry, instance) == before

    # Confirmations

    def test_what_is_to_be_confirmed_says_by_when(self, registry: Registry) -> None:
        instance = idle(registry)

        assert claim(registry, ALICE, confirm_within=MINUTE).allocation.confirm_by == NOW + MINUTE
        assert known(registry, instance).confirm_by == NOW + MINUTE
        assert claim(registry, ALICE).allocation.confirm_by == NOW + MINUTE

    def test_a_confirmation_is_kept_and_told_once(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE, confirm_within=MINUTE)

        confirmed = registry.confirm(ALICE, actor="somebody", now=NOW)

        assert confirmed.confirm_by is known(registry, instance).confirm_by is None
        assert registry.confirm(ALICE, actor="somebody", now=NOW) == confirmed
        told = [line for line in history(registry) if line.kind is EventKind.ALLOCATION_CONFIRMED]
        assert [(line.actor, line.project, line.instance) for line in told] == [("somebody", ALICE, instance)]

    def test_a_confirmation_of_what_need_not_be_confirmed_changes_nothing(self, registry: Registry) -> None:
        idle(registry)
        held = claim(registry, ALICE, lasts=MINUTE).allocation
        events = len(history(registry))

        assert registry.confirm(ALICE, actor="tester", now=NOW) == held
        assert len(history(registry)) == events

    def test_a_confirmation_leaves_the_time_limit_as_it_is(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=2 * MINUTE, confirm_within=MINUTE)

        registry.confirm(ALICE, actor="tester", now=NOW)

        assert known(registry, instance).expires_at == NOW + 2 * MINUTE

    def test_a_confirmation_of_nothing_is_refused(self, registry: Registry) -> None:
        with pytest.raises(AllocationNotFound):
            registry.confirm(ALICE, actor="tester", now=NOW)

    def test_a_late_confirmation_does_not_confirm_what_the_project_got_since(
        self, registry: Registry
    ) -> None:
        first, second = _one_after_the_other(registry)
        before, events = known(registry, second), len(history(registry))

        with pytest.raises(AllocationNotFound, match=f"{second} by now, and not {first}"):
            registry.confirm(ALICE, only=first, actor="tester", now=NOW)

        assert known(registry, second) == before
        assert len(history(registry)) == events

    def test_what_is_meant_is_confirmed(self, registry: Registry) -> None:
        _, second = _one_after_the_other(registry)

        confirmed = registry.confirm(ALICE, only=second, actor="tester", now=NOW)

        assert confirmed.confirm_by is known(registry, second).confirm_by is None

    def test_a_renewal_confirms(self, registry: Registry) -> None:
        instance = idle(registry)
        claim(registry, ALICE, confirm_within=MINUTE)

        assert renew(registry, None).confirm_by is known(registry, instance).confirm_by is None
