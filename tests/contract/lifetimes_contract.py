"""What every implementation of the Lifetimes port promises: nobody loses an instance by surprise."""

from datetime import datetime, timedelta

import pytest

from app.domain.controls import Change
from app.domain.errors import AllocationNotFound, PoolExhausted
from app.domain.events import Event, EventKind
from app.domain.limits import NOTICE
from app.domain.model import DEFAULT_POOL, EndReason, InstanceId, InstanceState, PoolName, ProjectId
from app.ports import ControlPanel, Due, Lifetimes, Registry
from tests.builders import NOW
from tests.contract.registry_contract import ALICE, BOB, SECOND, claim, history, idle, known, race
from tests.contract.registry_contract.world import hold
from tests.fakes import FakeClock

MINUTE = timedelta(minutes=1)
HOUR = 60 * MINUTE
LEAD = 10 * MINUTE


def pause(panel: ControlPanel, *, paused: bool = True) -> None:
    panel.change(DEFAULT_POOL, Change(paused=paused), configured=5, expect=None, actor="ann", now=NOW)


def told(registry: Registry) -> list[Event]:
    return [line for line in history(registry) if line.kind is EventKind.ALLOCATION_EXPIRING]


def expiring(
    registry: Registry, lifetimes: Lifetimes, clock: FakeClock, *, lasts: timedelta = HOUR
) -> InstanceId:
    """Make an allocation whose end is announced, and has come."""
    instance = idle(registry)
    claim(registry, ALICE, lasts=lasts)
    clock.advance(lasts - min(LEAD, lasts / 2))
    assert lifetimes.announce(instance)
    clock.advance(min(LEAD, lasts / 2))
    return instance


def due(lifetimes: Lifetimes, now: datetime, **what: list[InstanceId]) -> bool:
    """Whether exactly this is due."""
    return lifetimes.due(DEFAULT_POOL) == Due(
        now=now,
        holds=what.get("holds", []),
        announcements=what.get("announcements", []),
        expired=what.get("expired", []),
        unconfirmed=what.get("unconfirmed", []),
    )


class LifetimesContract:
    """Subclasses give the fixtures `registry`, `lifetimes`, `panel` and `clock`, by which all of them go."""

    # Announcements

    def test_an_end_is_announced_once_and_in_good_time(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=HOUR)
        clock.advance(HOUR - LEAD - SECOND)
        assert due(lifetimes, clock.now())
        assert not lifetimes.announce(instance)

        clock.advance(SECOND)
        assert due(lifetimes, clock.now(), announcements=[instance])
        assert lifetimes.announce(instance)

        assert due(lifetimes, clock.now())
        assert not lifetimes.announce(instance)
        (line,) = told(registry)
        assert (line.at, line.actor, line.project, line.instance) == (clock.now(), "poller", ALICE, instance)
        assert line.reason == "its time is over at 2026-11-22T13:00:00+00:00 unless it is renewed"
        assert known(registry, instance).expires_at == NOW + HOUR

    def test_a_short_time_is_announced_when_half_of_it_is_over(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=MINUTE)
        clock.advance(MINUTE / 2)

        assert lifetimes.announce(instance)
        assert known(registry, instance).expires_at == NOW + MINUTE

    def test_an_announcement_that_is_a_little_late_moves_no_end(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=MINUTE)
        clock.advance(MINUTE / 2 + 2 * SECOND)

        assert lifetimes.announce(instance)
        assert known(registry, instance).expires_at == NOW + MINUTE

    def test_an_end_that_could_not_be_announced_in_time_comes_later(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=HOUR)
        clock.advance(3 * HOUR)  # nobody was there to announce it
        assert not lifetimes.expire(instance)

        assert lifetimes.announce(instance)

        assert known(registry, instance).expires_at == clock.now() + NOTICE
        assert (
            told(registry)[-1].reason == "its time is over at 2026-11-22T15:01:00+00:00 unless it is renewed"
        )
        clock.advance(NOTICE)
        assert lifetimes.expire(instance)

    def test_what_is_renewed_is_announced_anew(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = expiring(registry, lifetimes, clock)
        registry.renew(ALICE, HOUR, policies={}, actor="tester", now=NOW)
        assert due(lifetimes, clock.now())

        clock.advance(HOUR - LEAD)
        assert lifetimes.announce(instance)
        assert len(told(registry)) == 2

    # The end

    def test_what_is_over_expires_once_and_its_instance_ends(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = expiring(registry, lifetimes, clock)
        assert due(lifetimes, clock.now(), expired=[instance])

        assert lifetimes.expire(instance)
        assert not lifetimes.expire(instance)

        assert due(lifetimes, clock.now())
        ending = known(registry, instance)
        assert (ending.state, ending.end_reason) == (InstanceState.TERMINATING, EndReason.EXPIRED)
        assert [(line.kind, line.actor, line.project, line.reason) for line in history(registry)[-2:]] == [
            (EventKind.ALLOCATION_ENDED, "poller", ALICE, "expired"),
            (EventKind.INSTANCE_TERMINATING, "poller", ALICE, "expired"),
        ]
        with pytest.raises(PoolExhausted):
            claim(registry, ALICE)

    def test_a_project_that_asks_again_after_its_time_begins_anew(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        first = expiring(registry, lifetimes, clock)
        second = idle(registry)

        claimed = claim(registry, ALICE, lasts=MINUTE)

        assert (claimed.created, claimed.allocation.instance) == (True, second)
        assert claimed.allocation.expires_at == clock.now() + MINUTE
        assert known(registry, first).end_reason is EndReason.EXPIRED

    def test_a_project_whose_pool_is_paused_keeps_what_it_has_after_its_time(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock, panel: ControlPanel
    ) -> None:
        instance = expiring(registry, lifetimes, clock)
        pause(panel)

        again = claim(registry, ALICE)

        assert (again.created, again.allocation.instance) == (False, instance)

    def test_what_is_not_over_or_has_no_limit_does_not_expire(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        limited, unlimited = idle(registry), idle(registry, since=SECOND)
        claim(registry, ALICE, SECOND, lasts=HOUR)
        claim(registry, BOB, SECOND)
        clock.advance(HOUR - SECOND)
        assert lifetimes.announce(limited)

        assert not lifetimes.expire(limited)
        clock.advance(1000 * HOUR)
        assert not lifetimes.expire(unlimited)

    def test_what_was_renewed_first_does_not_expire(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = expiring(registry, lifetimes, clock)
        registry.renew(ALICE, MINUTE, policies={}, actor="tester", now=NOW)

        assert not lifetimes.expire(instance)
        assert known(registry, instance).state is InstanceState.ALLOCATED

    def test_of_a_renewal_and_an_expiry_that_race_one_wins(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        projects = [ProjectId(f"project-{number}") for number in range(12)]
        for _ in projects:
            idle(registry)
        instances = {
            project: claim(registry, project, lasts=MINUTE).allocation.instance for project in projects
        }
        clock.advance(MINUTE / 2)
        assert all(lifetimes.announce(one) for one in instances.values())
        clock.advance(MINUTE / 2)

        def renew_or_expire(wish: ProjectId) -> bool:
            verb, project = wish.split("/")
            if verb == "expire":
                return lifetimes.expire(instances[ProjectId(project)])
            try:
                registry.renew(ProjectId(project), MINUTE, policies={}, actor="tester", now=NOW)
            except AllocationNotFound:
                return False
            return True

        wishes = [ProjectId(f"{verb}/{project}") for project in projects for verb in ("renew", "expire")]
        done = race(wishes, renew_or_expire, threads=4)

        for project in projects:
            renewed, expired = done[ProjectId(f"renew/{project}")][0], done[ProjectId(f"expire/{project}")][0]
            assert renewed is not expired
            state = known(registry, instances[project]).state
            assert state is (InstanceState.ALLOCATED if renewed else InstanceState.TERMINATING)

    def test_what_nobody_holds_or_nobody_knows_is_due_for_nothing(
        self, registry: Registry, lifetimes: Lifetimes
    ) -> None:
        for one in (idle(registry), InstanceId("i-00000000")):
            assert not lifetimes.announce(one)
            assert not lifetimes.expire(one)
            assert not lifetimes.end_unconfirmed(one)
            assert not lifetimes.end_hold(one)

    def test_what_has_ended_is_due_for_nothing(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=MINUTE, confirm_within=MINUTE)
        registry.release(ALICE, actor="tester", now=NOW)
        clock.advance(HOUR)

        assert due(lifetimes, clock.now())
        assert not lifetimes.announce(instance)
        assert not lifetimes.end_unconfirmed(instance)

    def test_of_another_pool_nothing_is_due(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        hold(registry, idle(registry, pool=PoolName("other")), lasts=SECOND)
        clock.advance(MINUTE)

        assert due(lifetimes, clock.now())

    # Confirmation

    def test_what_nobody_confirmed_ends_with_its_instance(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, confirm_within=MINUTE)
        clock.advance(MINUTE - SECOND)
        assert not lifetimes.end_unconfirmed(instance)
        clock.advance(SECOND)
        assert due(lifetimes, clock.now(), unconfirmed=[instance])

        assert lifetimes.end_unconfirmed(instance)
        assert not lifetimes.end_unconfirmed(instance)

        assert known(registry, instance).end_reason is EndReason.UNCONFIRMED
        assert told(registry) == []

    def test_what_was_confirmed_in_the_last_moment_goes_on(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, confirm_within=MINUTE)
        clock.advance(MINUTE)
        registry.confirm(ALICE, actor="tester", now=NOW)

        assert due(lifetimes, clock.now())
        assert not lifetimes.end_unconfirmed(instance)

    def test_who_asks_again_ends_nothing_for_want_of_confirmation(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        """Whether it is in use is looked at before that: a claim does not look."""
        instance = idle(registry)
        claim(registry, ALICE, confirm_within=MINUTE)
        idle(registry)
        clock.advance(MINUTE)

        again = claim(registry, ALICE)

        assert (again.created, again.allocation.instance) == (False, instance)
        assert again.allocation.confirm_by == NOW + MINUTE
        assert lifetimes.end_unconfirmed(instance)

    def test_where_nobody_could_confirm_for_long_there_is_time_to_do_so(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, confirm_within=MINUTE)
        clock.advance(HOUR)  # the service was away
        assert not lifetimes.end_unconfirmed(instance)

        assert lifetimes.announce(instance)

        assert known(registry, instance).confirm_by == clock.now() + NOTICE
        assert told(registry)[-1].reason == (
            "it ends at 2026-11-22T13:01:00+00:00 unless it is confirmed, renewed or used"
        )
        clock.advance(NOTICE)
        assert lifetimes.end_unconfirmed(instance)
