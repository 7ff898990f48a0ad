"""What puts off the ends that come by themselves: holds, which end by themselves, too, and pauses."""

from app.domain.limits import LATE, NOTICE
from app.domain.model import InstanceState
from app.ports import ControlPanel, Lifetimes, Registry
from tests.builders import NOW
from tests.contract.lifetimes_contract import HOUR, MINUTE, due, expiring, pause
from tests.contract.registry_contract import ALICE, SECOND, claim, end, history, idle, known
from tests.contract.registry_contract.world import hold
from tests.fakes import FakeClock


class PutOffContract:
    """Subclasses give the fixtures `registry`, `lifetimes`, `panel` and `clock`, by which all of them go."""

    # Holds

    def test_a_hold_ends_when_its_time_is_over(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        hold(registry, instance, lasts=MINUTE)
        clock.advance(MINUTE - SECOND)
        assert due(lifetimes, clock.now())
        assert not lifetimes.end_hold(instance)

        clock.advance(SECOND)
        assert due(lifetimes, clock.now(), holds=[instance])
        assert lifetimes.end_hold(instance)
        assert not lifetimes.end_hold(instance)
        assert known(registry, instance).hold is None
        assert history(registry)[-1].actor == "poller"

    def test_a_hold_that_was_prolonged_or_has_no_limit_does_not_end_by_itself(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        prolonged, unlimited = idle(registry), idle(registry)
        hold(registry, prolonged, lasts=SECOND)
        hold(registry, prolonged, lasts=2 * MINUTE)
        hold(registry, unlimited)
        clock.advance(MINUTE)

        assert not lifetimes.end_hold(prolonged)
        clock.advance(1000 * HOUR)
        assert not lifetimes.end_hold(unlimited)

    def test_a_hold_of_a_paused_pool_ends_as_well(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock, panel: ControlPanel
    ) -> None:
        instance = idle(registry)
        hold(registry, instance, lasts=MINUTE)
        pause(panel)
        clock.advance(MINUTE)

        assert due(lifetimes, clock.now(), holds=[instance])
        assert lifetimes.end_hold(instance)

    def test_the_hold_of_what_is_to_end_is_due_and_of_what_is_gone_is_not(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        ending, gone = idle(registry), idle(registry)
        for one in (ending, gone):
            hold(registry, one, lasts=MINUTE)
        registry.destroy(ending, actor="tester", now=NOW)
        end(registry, gone, InstanceState.IDLE, InstanceState.TERMINATED)
        clock.advance(MINUTE)

        assert due(lifetimes, clock.now(), holds=[ending])

    def test_what_is_held_for_inspection_is_neither_announced_nor_ended(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=HOUR, confirm_within=MINUTE)
        hold(registry, instance)

        for _ in range(3):
            clock.advance(MINUTE)
            assert due(lifetimes, clock.now())
            assert not lifetimes.announce(instance)
            assert not lifetimes.expire(instance)
            assert not lifetimes.end_unconfirmed(instance)
            clock.advance(HOUR)

    def test_what_was_over_while_it_was_held_is_announced_anew_and_ends_after_that(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock
    ) -> None:
        instance = expiring(registry, lifetimes, clock)
        hold(registry, instance)
        clock.advance(HOUR)
        registry.unhold(instance, actor="tester", now=NOW)

        assert due(lifetimes, clock.now(), announcements=[instance])
        assert not lifetimes.expire(instance)
        assert lifetimes.announce(instance)
        clock.advance(NOTICE)
        assert lifetimes.expire(instance)

    # Pauses

    def test_a_paused_pool_neither_announces_nor_ends_anything(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock, panel: ControlPanel
    ) -> None:
        instance = idle(registry)
        claim(registry, ALICE, lasts=HOUR, confirm_within=MINUTE)
        pause(panel)

        for passed in (MINUTE, HOUR):
            clock.advance(passed)
            assert due(lifetimes, clock.now())
            assert not lifetimes.announce(instance)
            assert not lifetimes.expire(instance)
            assert not lifetimes.end_unconfirmed(instance)

    def test_what_was_over_while_its_pool_was_paused_is_announced_anew_and_ends_after_that(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock, panel: ControlPanel
    ) -> None:
        instance = expiring(registry, lifetimes, clock)
        pause(panel)
        clock.advance(HOUR)
        pause(panel, paused=False)

        assert not lifetimes.expire(instance)
        assert lifetimes.announce(instance)
        clock.advance(NOTICE)
        assert lifetimes.expire(instance)

    def test_a_short_pause_or_hold_puts_an_announced_end_off_by_itself_alone(
        self, registry: Registry, lifetimes: Lifetimes, clock: FakeClock, panel: ControlPanel
    ) -> None:
        instance = expiring(registry, lifetimes, clock)
        pause(panel)
        clock.advance(LATE)
        pause(panel, paused=False)

        assert lifetimes.expire(instance)
