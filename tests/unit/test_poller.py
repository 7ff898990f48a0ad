"""When passes run, with the real scheduler, real threads and real time."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic

import pytest
import structlog
from structlog.testing import capture_logs

from app.bootstrap import SystemClock
from app.domain.errors import RegistryUnavailable
from app.poller import GAP, PROBE, SETTLING, Poller
from app.service.reconcile import PassReport
from tests.fakes import FakeTurn
from tests.waiting import until

RESTING = PassReport(changed=False, unsettled=False)
CHANGED = PassReport(changed=True, unsettled=False)
UNSETTLED = PassReport(changed=False, unsettled=True)
NEVER = timedelta(hours=1)


class Passes:
    """A pass that can be held up, and remembers when it ran and whether it was ever run twice at once."""

    def __init__(self) -> None:
        self.started_at: list[float] = []
        self.finished = 0
        self.most_at_once = 0
        self.reports: list[PassReport | Exception] = []
        self.free = Event()
        self.free.set()
        self._at_once = 0
        self._lock = Lock()

    def tick(self) -> PassReport:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.started_at.append(monotonic())
            report = self.reports.pop(0) if self.reports else RESTING
        try:
            assert self.free.wait(timeout=30)
        finally:
            with self._lock:
                self._at_once -= 1
                self.finished += 1
        if isinstance(report, Exception):
            raise report
        return report

    @property
    def started(self) -> int:
        return len(self.started_at)

    def until_finished(self, count: int, within: float = 5.0) -> None:
        until(lambda: self.finished >= count, within, what=f"{count} passes, not {self.finished}")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the next pass begin, and not end before the block does."""
        self.free.clear()
        try:
            yield
        finally:
            self.free.set()


class World:
    """A poller, and what it calls."""

    def __init__(self, interval: timedelta = NEVER) -> None:
        self.passes = Passes()
        self.probe: Callable[[], bool] = lambda: False
        self.newest: int | Exception = 0
        self.turn = FakeTurn()
        self.poller = Poller(
            self.passes.tick,
            self._probe,
            self._newest_event,
            turn=self.turn,
            interval=interval,
            clock=SystemClock(),
            chance=lambda: 0.0,
        )

    def _probe(self) -> bool:
        return self.probe()

    def _newest_event(self) -> int:
        if isinstance(self.newest, Exception):
            raise self.newest
        return self.newest

    def close(self) -> None:
        self.passes.free.set()
        self.poller.stop()


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """Rendering a traceback in colours takes longer than many a pass."""
    before = structlog.get_config()
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(**{**before, "wrapper_class": silent})
    yield
    structlog.configure(**before)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
def running(world: World) -> World:
    """A poller whose first pass is over, and which has nothing to do."""
    world.poller.start()
    world.passes.until_finished(1)
    return world


def lasting(seconds: float) -> Callable[[], bool]:
    """Return a condition that becomes true when so much time is over."""
    end = monotonic() + seconds
    return lambda: monotonic() >= end


# When passes run


def test_the_first_pass_runs_at_once(world: World) -> None:
    world.poller.start()

    world.passes.until_finished(1, within=1)


def test_nothing_runs_before_the_start(world: World) -> None:
    world.poller.wake()

    assert world.passes.started == 0


def test_passes_run_at_the_interval() -> None:
    world = World(interval=timedelta(seconds=0.3))
    world.poller.start()
    try:
        world.passes.until_finished(3, within=3)
    finally:
        world.close()


def test_a_pool_at_rest_is_left_in_peace_until_the_interval_is_over(running: World) -> None:
    until(lasting(1))

    assert running.passes.started == 1


def test_a_wake_up_starts_a_pass_within_about_a_second(running: World) -> None:
    woken = monotonic()
    running.poller.wake()

    running.passes.until_finished(2)
    assert running.passes.started_at[1] - woken < 1.5


def test_a_storm_of_wake_ups_makes_two_passes_a_second_and_no_more(running: World) -> None:
    end = monotonic() + 1.2
    while monotonic() < end:
        running.poller.wake()
    running.passes.until_finished(3)
    gaps = [
        later - earlier
        for earlier, later in zip(running.passes.started_at, running.passes.started_at[1:], strict=False)
    ]
    assert min(gaps) > GAP.total_seconds() * 0.9


def test_many_wake_ups_in_one_pass_make_exactly_one_more(world: World) -> None:
    with world.passes.held():
        world.poller.start()
        until(lambda: world.passes.started == 1)
        for _ in range(50):
            world.poller.wake()

    world.passes.until_finished(2)
    until(lasting(2 * GAP.total_seconds()))
    assert world.passes.started == 2


def test_a_wake_up_in_the_middle_of_a_pass_is_not_lost(world: World) -> None:
    with world.passes.held():
        world.poller.start()
        until(lambda: world.passes.started == 1)
        world.poller.wake()

    world.passes.until_finished(2, within=2)


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

    world.passes.until_finished(2, within=GAP.total_seconds() + 1)


def test_while_instances_are_on_their_way_the_next_look_comes_a_little_later(world: World) -> None:
    world.passes.reports = [UNSETTLED]
    world.poller.start()
    world.passes.until_finished(2)

    first, second = world.passes.started_at[:2]
    assert SETTLING.total_seconds() * 0.9 < second - first < SETTLING.total_seconds() + 1.5


def test_a_pass_that_is_over_at_once_is_still_followed_by_the_one_it_asks_for(world: World) -> None:
    world.passes.reports = [CHANGED]
    switching = sys.getswitchinterval()
    sys.setswitchinterval(5)  # a new thread runs on until it waits: the pass ends before its start returns
    try:
        world.poller.start()
        world.passes.until_finished(2, within=3)
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
def test_a_wake_up_in_the_middle_of_a_failing_pass_is_not_lost(world: World, fault: Exception) -> None:
    world.passes.reports = [fault]
    with world.passes.held():
        world.poller.start()
        until(lambda: world.passes.started == 1)
        world.poller.wake()
        until(lasting(GAP.total_seconds()))

    world.passes.until_finished(2, within=2)


@pytest.mark.parametrize("fault", [RegistryUnavailable("no answer"), ZeroDivisionError("a bug")])
def test_a_pass_that_fails_is_told(world: World, fault: Exception) -> None:
    world.passes.reports = [fault]
    structlog.reset_defaults()
    with capture_logs() as told:
        world.poller.start()
        world.passes.until_finished(1)
        world.poller.stop()

    assert [line["log_level"] for line in told] == ["error"]


def test_a_registry_that_came_back_is_asked_again(running: World) -> None:
    running.newest = RegistryUnavailable("no answer")
    until(lasting(0.5))
    running.newest = 7

    running.passes.until_finished(2, within=2)


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


# Probes


def test_instances_are_probed_while_a_pass_hangs(world: World) -> None:
    settled = Event()

    def settle() -> bool:
        settled.set()
        return False

    world.probe = settle
    with world.passes.held():
        world.poller.start()

        assert settled.wait(PROBE.total_seconds() + 2)
        assert world.passes.finished == 0


def test_probes_that_hang_delay_no_pass(running: World) -> None:
    hanging, free = Event(), Event()

    def hang() -> bool:
        hanging.set()
        return not free.wait(30)

    running.probe = hang
    try:
        assert hanging.wait(PROBE.total_seconds() + 2)
        running.poller.wake()
        running.passes.until_finished(2)
    finally:
        free.set()


def test_probes_that_changed_something_start_a_pass(running: World) -> None:
    answers = [True]
    running.probe = lambda: bool(answers and answers.pop())

    running.passes.until_finished(2)


@pytest.mark.parametrize("fault", [RegistryUnavailable("no answer"), ZeroDivisionError("a bug")])
def test_probes_that_fail_are_tried_again(running: World, fault: Exception) -> None:
    tried: list[datetime] = []

    def fail() -> bool:
        tried.append(datetime.max.replace(tzinfo=UTC))
        raise fault

    running.probe = fail

    until(lambda: len(tried) >= 2, within=4)


def test_only_who_has_the_turn_probes(world: World) -> None:
    world.turn.free = False
    probed = Event()

    def probe() -> bool:
        probed.set()
        return False

    world.probe = probe
    world.poller.start()

    assert not probed.wait(2 * PROBE.total_seconds())


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
