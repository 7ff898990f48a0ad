"""How a poller ends: after the pass in hand, and waiting for nothing that hangs."""

import subprocess
import sys
from threading import Event, Thread

import pytest

from app.poller.poller import GRACE
from app.service.leadership import RENEW, TTL
from app.service.reconcile import PassReport
from tests.fake_clock import FastWatch
from tests.unit.poller.world import CHANGED, HANGING, RESTING, UNSETTLED, World, lasting
from tests.waiting import LONG, until


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the end wait so long for what runs beside the passes that no busy machine takes longer."""
    monkeypatch.setattr("app.poller.poller.GRACE", 2 * LONG)


def test_stop_waits_for_the_pass_in_hand(world: World) -> None:
    with world.passes.held():
        world.poller.start()
        until(lambda: world.passes.started == 1)
        stopping = Thread(target=world.poller.stop)
        stopping.start()
        stopping.join(0.3)
        assert stopping.is_alive()
        assert world.leases.leader() is not None  # or the pass could not do what is left of it

    stopping.join(LONG)
    assert not stopping.is_alive()
    assert world.passes.finished == 1
    assert world.leases.leader() is None


def test_a_pass_that_outlasts_its_trust_is_finished_at_the_end_all_the_same() -> None:
    time = FastWatch()
    world = World(time=time)
    try:
        with world.passes.held():
            world.poller.start()
            until(lambda: world.passes.started == 1)
            mandate = world.leadership.mandate
            assert mandate is not None
            stopping = Thread(target=world.poller.stop)
            stopping.start()
            for _ in range(10):  # two seconds and a little each: renewed, and again
                time.advance(RENEW)
                until(lambda: world.leases.expires_at > time() + TTL.total_seconds() - 1)

            assert mandate.trusted
        stopping.join(LONG)
        assert not mandate.trusted
    finally:
        world.close()


def test_nobody_waits_for_a_probe_that_hangs_to_lead(world: World, patient: None) -> None:
    hanging, free = Event(), Event()

    def hang() -> bool:
        hanging.set()
        return free.wait(HANGING)

    world.probe = hang
    world.poller.start()
    try:
        assert hanging.wait(LONG)
        stopping = Thread(target=world.poller.stop, daemon=True)
        stopping.start()
        until(lambda: world.leases.held is None)  # given back, and not just expired
        assert stopping.is_alive()
    finally:
        free.set()


@pytest.mark.parametrize("job", ["probe", "examine"])
def test_stop_leaves_a_probe_and_an_examination_that_hang_behind(world: World, job: str) -> None:
    assert GRACE <= 1.0
    hanging, free = Event(), Event()

    def hang() -> bool:
        hanging.set()
        return free.wait(HANGING)

    setattr(world, job, hang)
    world.poller.start()
    try:
        assert hanging.wait(LONG)
        stopping = Thread(target=world.poller.stop, daemon=True)
        stopping.start()
        stopping.join(LONG)
        assert not stopping.is_alive()
    finally:
        free.set()


def test_stop_waits_for_a_probe_that_is_nearly_done(world: World, patient: None) -> None:
    begun, over = Event(), Event()

    def probe() -> bool:
        begun.set()
        until(lasting(0.25))
        over.set()
        return False

    world.probe = probe
    world.poller.start()
    assert begun.wait(LONG)

    world.poller.stop()

    assert over.is_set()


def test_the_end_of_the_process_waits_for_nothing_that_hangs() -> None:
    hang = """
import logging
from datetime import timedelta
from threading import Event
from time import monotonic
from app.domain.model import DEFAULT_POOL
from app.poller import Jobs, Poller
from app.service.leadership import Leadership
from app.service.reconcile import PassReport
from tests.fakes import FakeBell, FakeLeases, FakeMeter
logging.getLogger("apscheduler").setLevel(logging.ERROR)  # as the service does: it tells of each late beat
hanging, free = Event(), Event()
def hang():
    hanging.set()
    return free.wait(600)
poller = Poller(
    {DEFAULT_POOL: lambda mandate: Jobs(lambda urgent, wanted: PassReport(), hang, hang, hang, hang)},
    leadership=Leadership(FakeLeases(), replica="ours", monotonic=monotonic), bell=FakeBell(),
    intervals={DEFAULT_POOL: timedelta(hours=1)}, sample=hang, meter=FakeMeter(),
    monotonic=monotonic, chance=lambda: 0.0,
)
poller.start()
assert hanging.wait(60)
poller.stop()
"""
    ended = subprocess.run([sys.executable, "-c", hang], timeout=120, check=False, capture_output=True)

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_after_the_stop_nothing_runs_any_more(running: World) -> None:
    running.poller.stop()
    running.poller.wake()
    running.bell.news = True

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
        stopping.join(LONG)
        waking.join(LONG)
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
        world.passes.until_finished(3)
    finally:
        over.set()
        sys.setswitchinterval(switching)
    for waker in wakers:
        waker.join(LONG)
        assert not waker.is_alive()
