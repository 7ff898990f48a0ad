"""Passes where several processes could run them, and how one ends."""

import subprocess
import sys
from threading import Event, Thread

import pytest

from app.poller.poller import EXAMINE, GRACE, PROBE
from app.service.reconcile import PassReport
from tests.unit.poller.world import CHANGED, RESTING, UNSETTLED, World, lasting
from tests.waiting import until

# Other processes


def test_what_another_process_wrote_starts_a_pass(running: World) -> None:
    running.newest = 7

    running.passes.until_finished(2, within=2)


def test_what_was_written_before_the_pass_starts_no_other(world: World) -> None:
    world.newest = 7
    world.poller.start()
    world.passes.until_finished(1)

    until(lasting(1))
    assert world.passes.started == 1


def test_while_another_process_has_the_turn_no_pass_runs(world: World) -> None:
    world.turn.free = False
    world.poller.start()
    world.poller.wake()

    until(lasting(1))
    assert world.passes.started == 0


def test_a_process_that_gets_the_turn_runs_a_pass_at_once(world: World) -> None:
    world.turn.free = False
    world.poller.start()
    until(lasting(0.5))

    world.turn.free = True

    world.passes.until_finished(1, within=1)


def test_a_process_that_stops_gives_its_turn_back(running: World) -> None:
    running.turn.free = False

    running.poller.stop()

    assert running.turn.free


# Whose turn it is


def test_a_poller_whose_turn_it_is_not_runs_nothing(world: World) -> None:
    world.turn.free = False
    world.poller.start()

    until(lasting(0.6))

    assert world.passes.started == 0


def test_a_poller_takes_over_as_soon_as_it_is_its_turn(world: World) -> None:
    world.turn.free = False
    world.poller.start()
    until(lasting(0.3))

    world.turn.free = True

    world.passes.until_finished(1, within=2)


# The end


def test_stop_waits_for_the_pass_in_hand(world: World) -> None:
    with world.passes.held():
        world.poller.start()
        until(lambda: world.passes.started == 1)
        stopping = Thread(target=world.poller.stop)
        stopping.start()
        stopping.join(timeout=0.3)
        assert stopping.is_alive()

    stopping.join(timeout=5)
    assert not stopping.is_alive()
    assert world.passes.finished == 1


@pytest.mark.parametrize("job", ["probe", "examine"])
def test_stop_leaves_a_probe_and_an_examination_that_hang_behind(world: World, job: str) -> None:
    hanging, free = Event(), Event()

    def hang() -> bool:
        hanging.set()
        return free.wait(30)

    setattr(world, job, hang)
    world.poller.start()
    try:
        assert hanging.wait(EXAMINE + 5)
        stopping = Thread(target=world.poller.stop, daemon=True)
        stopping.start()
        stopping.join(timeout=GRACE + 2)
        assert not stopping.is_alive()
    finally:
        free.set()


def test_stop_waits_for_a_probe_that_is_nearly_done(world: World) -> None:
    begun, over = Event(), Event()

    def probe() -> bool:
        begun.set()
        until(lasting(GRACE / 4))
        over.set()
        return False

    world.probe = probe
    world.poller.start()
    assert begun.wait(PROBE + 5)

    world.poller.stop()

    assert over.is_set()


def test_the_end_of_the_process_waits_for_nothing_that_hangs() -> None:
    hang = """
from datetime import timedelta
from threading import Event
from time import monotonic
from app.poller import Poller
from app.poller.poller import EXAMINE, GRACE, PROBE
from app.service.reconcile import PassReport
from tests.fakes import FakeTurn
hanging, free = Event(), Event()
def hang():
    hanging.set()
    return free.wait(60)
poller = Poller(
    PassReport, hang, hang, lambda: 0,
    turn=FakeTurn(), interval=timedelta(hours=1), monotonic=monotonic, chance=lambda: 0.0,
)
poller.start()
assert hanging.wait(10)
poller.stop()
"""
    ended = subprocess.run([sys.executable, "-c", hang], timeout=30, check=False, capture_output=True)

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_after_the_stop_nothing_runs_any_more(running: World) -> None:
    running.poller.stop()
    running.poller.wake()
    running.newest = 7

    until(lasting(1))
    assert running.passes.started == 1


def test_stop_without_a_start_does_nothing(world: World) -> None:
    world.poller.stop()


def test_stop_twice_does_nothing_the_second_time(running: World) -> None:
    running.poller.stop()

    running.poller.stop()


@pytest.mark.parametrize("report", [CHANGED, UNSETTLED, RESTING, ZeroDivisionError("a bug")])
def test_a_pass_that_ends_while_the_poller_stops_locks_nobody_out(report: PassReport | Exception) -> None:
    for _ in range(25):
        world = World()
        world.passes.reports = [report] * 3
        with world.passes.held():
            world.poller.start()
            until(lambda: world.passes.started == 1)  # noqa: B023 - asked at once
            stopping = Thread(target=world.poller.stop, daemon=True)
            waking = Thread(target=world.poller.wake, daemon=True)
            stopping.start()
            waking.start()
        stopping.join(timeout=5)
        waking.join(timeout=5)
        assert not stopping.is_alive()
        assert not waking.is_alive()


def test_wake_ups_and_short_passes_never_wait_for_each_other_for_good(world: World) -> None:
    over = Event()
    counts = [0] * 4

    def keep_waking(number: int) -> None:
        while not over.is_set():
            world.poller.wake()
            counts[number] += 1

    world.passes.reports = [CHANGED] * 1000
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    wakers = [Thread(target=keep_waking, args=(number,), daemon=True) for number in range(4)]
    try:
        world.poller.start()
        for waker in wakers:
            waker.start()
        world.passes.until_finished(3, within=10)
    finally:
        over.set()
        sys.setswitchinterval(switching)
    for waker in wakers:
        waker.join(timeout=5)
        assert not waker.is_alive()
