"""When passes run, with the real scheduler, real threads and real time."""

import sys
from datetime import timedelta
from time import monotonic

import pytest
import structlog
from structlog.testing import capture_logs

from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL
from app.poller.pace import AFTERWARDS, GAP, SETTLING, Pace
from app.service.reconcile import PassReport
from tests.fake_clock import Stopwatch
from tests.unit.poller.beats import Beats
from tests.unit.poller.world import CHANGED, UNSETTLED, World, lasting
from tests.waiting import until

# When passes run


def test_the_first_pass_runs_at_once(world: World) -> None:
    world.poller.start()

    world.passes.until_finished(1)


def test_nothing_runs_before_the_start(world: World) -> None:
    world.poller.wake()

    assert world.passes.started == 0


def test_passes_run_at_the_interval() -> None:
    world = World(interval=timedelta(seconds=0.3))
    world.poller.start()
    try:
        world.passes.until_finished(3)
    finally:
        world.close()


def test_a_pool_at_rest_is_left_in_peace_until_the_interval_is_over(running: World) -> None:
    until(lasting(1))

    assert running.passes.started == 1


def test_a_wake_up_starts_a_pass_within_about_a_second(running: World) -> None:
    def took() -> float:
        started, woken = running.passes.started, monotonic()
        running.poller.wake()
        running.passes.until_finished(started + 1)
        return running.passes.started_at[started] - woken

    assert any(took() < 1.5 for _ in range(10))  # not each: the machine may be busy


def test_a_storm_of_wake_ups_makes_five_passes_a_second_and_no_more(world: World) -> None:
    begun = monotonic()
    world.poller.start()
    end = monotonic() + 1.2
    while monotonic() < end or world.passes.started < 3:
        world.poller.wake()

    passes = world.passes.started
    assert (passes - 1) * GAP <= monotonic() - begun


def test_many_wake_ups_in_one_pass_make_exactly_one_more(world: World) -> None:
    with world.passes.held():
        world.poller.start()
        until(lambda: world.passes.started == 1)
        for _ in range(50):
            world.poller.wake()

    world.passes.until_finished(2)
    until(lasting(2 * GAP))
    assert world.passes.started == 2


def test_a_wake_up_in_the_middle_of_a_pass_is_not_lost(world: World) -> None:
    with world.passes.held():
        world.poller.start()
        until(lambda: world.passes.started == 1)
        world.poller.wake()

    world.passes.until_finished(2)


def test_two_passes_never_run_at_once() -> None:
    world = World(interval=timedelta(seconds=0.1))
    try:
        with world.passes.held():
            world.poller.start()
            until(lambda: world.passes.started == 1)
            world.poller.wake()
            until(lasting(0.6))
    finally:
        world.close()

    assert world.passes.most_at_once == 1


def test_after_a_pass_that_changed_something_comes_another_one_soon(world: World) -> None:
    world.passes.reports = [CHANGED]
    world.poller.start()

    world.passes.until_finished(2)


def test_while_instances_are_on_their_way_another_look_comes(world: World) -> None:
    world.passes.reports = [UNSETTLED]
    world.poller.start()

    world.passes.until_finished(2)


@pytest.mark.parametrize(("report", "wait"), [(CHANGED, AFTERWARDS), (UNSETTLED, SETTLING)])
def test_after_a_change_the_next_look_comes_sooner_than_while_instances_are_on_their_way(
    report: PassReport, wait: float
) -> None:
    time = Stopwatch()
    pace = Pace(DEFAULT_POOL, interval=300.0, monotonic=time, chance=lambda: 0.0)
    pace.is_due()
    pace.follow(report)

    time.advance(wait - 0.125)
    too_soon = pace.is_due()
    time.advance(0.25)

    assert (too_soon, pace.is_due()) == (False, True)


def test_a_pass_that_is_over_at_once_is_still_followed_by_the_one_it_asks_for(world: World) -> None:
    world.passes.reports = [CHANGED]
    switching = sys.getswitchinterval()
    sys.setswitchinterval(5)  # a new thread runs on until it waits: the pass ends before its start returns
    try:
        world.poller.start()
        world.passes.until_finished(2)
    finally:
        sys.setswitchinterval(switching)


# Faults


@pytest.mark.parametrize("fault", [RegistryUnavailable("no answer"), ZeroDivisionError("a bug")])
def test_a_pass_that_fails_does_not_stop_the_poller(world: World, fault: Exception) -> None:
    world.passes.reports = [fault]
    world.poller.start()
    world.passes.until_finished(1)

    world.poller.wake()

    world.passes.until_finished(2)


@pytest.mark.parametrize("fault", [RegistryUnavailable("no answer"), ZeroDivisionError("a bug")])
def test_a_wake_up_in_the_middle_of_a_failing_pass_is_not_lost(fault: Exception) -> None:
    beats = Beats(fault, interval=300)

    def wake_in_the_middle() -> None:
        beats.poller.wake()
        beats.time.advance(GAP)

    beats.meanwhile = wake_in_the_middle
    beats.beat_for(2)

    assert beats.waits() == [pytest.approx(1 + GAP)]  # at the next beat: without it, two seconds later


@pytest.mark.parametrize("fault", [RegistryUnavailable("no answer"), ZeroDivisionError("a bug")])
def test_a_pass_that_fails_is_told(world: World, fault: Exception) -> None:
    world.passes.reports = [fault]
    structlog.reset_defaults()
    with capture_logs() as told:
        world.poller.start()
        world.passes.until_finished(1)
        world.poller.stop()

    assert [line["log_level"] for line in told if line["event"].startswith("pass.")] == ["error"]


def test_a_registry_that_came_back_is_asked_again(running: World) -> None:
    running.bell.news = RegistryUnavailable("no answer")
    until(lasting(0.5))
    running.bell.news = True

    running.passes.until_finished(2)
