"""Every running instance has a worker, however slow or stubborn workers are."""

from collections.abc import Iterator
from threading import Event

import pytest

from app.simulator.machines import Machines
from app.simulator.worker import WorkerSpec
from tests.waiting import until


class SlowWorker:
    """Starts when it is allowed to, and remembers what was done to it."""

    def __init__(self, spec: WorkerSpec, may_start: Event) -> None:
        self.spec = spec
        self.started = 0
        self.stopped = 0
        self._may_start = may_start

    def start(self) -> None:
        self._may_start.wait(60)
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1


class Office:
    def __init__(self) -> None:
        self.may_start = Event()
        self.may_start.set()
        self.trouble = 0
        self.hired: list[SlowWorker] = []

    def employ(self, spec: WorkerSpec) -> SlowWorker:
        if self.trouble:
            self.trouble -= 1
            raise OSError("the address is taken")
        self.hired.append(SlowWorker(spec, self.may_start))
        return self.hired[-1]


def a_spec(name: str) -> WorkerSpec:
    return WorkerSpec(name, "127.0.0.1", 1, lambda: None)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def machines(office: Office) -> Iterator[Machines]:
    machines = Machines(office.employ)
    yield machines
    office.may_start.set()
    machines.close()


def test_a_slow_start_holds_nobody_up(machines: Machines, office: Office) -> None:
    office.may_start.clear()
    machines.settle({"i-1": a_spec("i-1")})
    assert machines.status("i-1") == "starting"
    office.may_start.set()
    until(lambda: machines.status("i-1") == "up", what="the worker is up")


def test_an_instance_that_goes_while_its_worker_starts_leaves_nothing(
    machines: Machines, office: Office
) -> None:
    office.may_start.clear()
    machines.settle({"i-1": a_spec("i-1")})
    until(lambda: office.hired, what="the worker begins to start")
    machines.settle({})
    office.may_start.set()
    machines.wait_gone({"i-1"})
    assert [(worker.started, worker.stopped) for worker in office.hired] == [(1, 1)]


def test_a_worker_that_cannot_start_is_tried_again_and_its_trouble_told(
    machines: Machines, office: Office
) -> None:
    office.trouble = 1
    running = {"i-1": a_spec("i-1")}
    machines.settle(running)
    until(lambda: machines.status("i-1") == "error: the address is taken", what="the trouble is told")

    def up() -> bool:
        machines.settle(running)
        return machines.status("i-1") == "up"

    until(up, what="the worker is up after all")


def test_settling_twice_hires_once(machines: Machines, office: Office) -> None:
    for _ in range(5):
        machines.settle({"i-1": a_spec("i-1"), "i-2": a_spec("i-2")})
    until(lambda: [machines.status(one) for one in ("i-1", "i-2")] == ["up", "up"], what="both are up")
    assert len(office.hired) == 2


def test_a_mode_is_for_running_instances_only(machines: Machines) -> None:
    assert not machines.set_mode("i-1", "down")
    with pytest.raises(ValueError, match="mode must be one of"):
        machines.set_mode("i-1", "asleep")


def test_a_worker_can_go_and_come_back_while_its_instance_runs(machines: Machines, office: Office) -> None:
    machines.settle({"i-1": a_spec("i-1")})
    until(lambda: machines.status("i-1") == "up", what="the worker is up")
    machines.set_mode("i-1", "down")
    until(lambda: machines.status("i-1") == "down", what="the worker is down")
    machines.set_mode("i-1", "up")
    until(lambda: machines.status("i-1") == "up", what="the worker is up again")
    assert [(worker.started, worker.stopped) for worker in office.hired] == [(1, 1), (1, 0)]
