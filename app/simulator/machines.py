"""The machine room: a worker for every running instance, started and stopped in the background."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition
from typing import Literal, get_args

import structlog

from app.simulator.broken import BlankWorker, FailingWorker, GarbledWorker, HangingWorker
from app.simulator.clock import steady
from app.simulator.worker import Worker, WorkerSpec

Mode = Literal["up", "down", "failing", "hanging", "blank", "garbled"]
"""down: nothing listens; failing: 500 to everything; hanging: accepts and never answers; blank: 500 to `/`
alone, while `/healthz` is green; garbled: all is well, but `/healthz` tells no heartbeat."""

_BROKEN: Mapping[Mode, Callable[[WorkerSpec], Worker]] = {
    "failing": FailingWorker,
    "hanging": HangingWorker,
    "blank": BlankWorker,
    "garbled": GarbledWorker,
}

RETRY_SECONDS = 0.5
AT_ONCE = 8
STOP_SECONDS = 20.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Machine:
    spec: WorkerSpec
    wanted: Mode
    now: Mode = "down"
    worker: Worker | None = None
    at_work: bool = False
    gone: bool = False
    trouble: str | None = None
    retry_at: float = 0.0

    @property
    def settled(self) -> bool:
        return self.now == ("down" if self.gone else self.wanted)


class Machines:
    """Level-based: told which instances run, it starts what is missing and stops what is left over.

    Starting and stopping may take seconds; they happen in a pool of threads, one at a time for each
    instance, and no lock is held meanwhile.
    """

    def __init__(self, employ: Callable[[WorkerSpec], Worker]) -> None:
        self._employ = employ
        self._change = Condition()
        self._machines: dict[str, _Machine] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="machines")
        self._default: Mode = "up"

    @property
    def default(self) -> Mode:
        """How the workers of instances that boot from now on behave."""
        return self._default

    def settle(self, running: Mapping[str, WorkerSpec]) -> None:
        """Begin to make the machines match the running instances; return at once."""
        with self._change:
            for instance_id, spec in running.items():
                if instance_id not in self._machines:
                    self._machines[instance_id] = _Machine(spec, self._default)
            for instance_id, machine in self._machines.items():
                machine.gone = instance_id not in running
                self._send_for(instance_id, machine)
            self._clear_out()

    def set_mode(self, instance_id: str, mode: str) -> bool:
        """Change how one worker behaves; return whether the instance runs. Raises ValueError."""
        wanted = _mode(mode)
        with self._change:
            machine = self._machines.get(instance_id)
            if machine is None or machine.gone:
                return False
            machine.wanted, machine.retry_at = wanted, 0.0
            self._send_for(instance_id, machine)
            return True

    def set_default(self, mode: str) -> None:
        """Change how workers behave that start from now on. Raises ValueError for an unknown mode."""
        self._default = _mode(mode)

    def status(self, instance_id: str) -> str:
        """Return the mode a worker is in, `starting`, or what keeps it from starting."""
        machine = self._machines.get(instance_id)
        if machine is None:
            return "down"
        if machine.trouble:
            return f"error: {machine.trouble}"
        return machine.now if machine.settled else "starting"

    def wait_gone(self, instance_ids: Collection[str]) -> None:
        """Wait until none of these has a worker any more (a while at most)."""
        with self._change:
            self._change.wait_for(lambda: not self._machines.keys() & instance_ids, STOP_SECONDS)

    def close(self) -> None:
        """Stop every worker and the pool itself."""
        self.settle({})
        self.wait_gone(frozenset(self._machines))
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _send_for(self, instance_id: str, machine: _Machine) -> None:
        if machine.at_work or machine.settled or steady() < machine.retry_at:
            return
        machine.at_work = True
        self._pool.submit(self._work, instance_id, machine)

    def _work(self, instance_id: str, machine: _Machine) -> None:
        while True:
            with self._change:
                target: Mode = "down" if machine.gone else machine.wanted
                if machine.now == target or (machine.trouble and steady() < machine.retry_at):
                    machine.at_work = False
                    self._clear_out()
                    return
            try:
                self._turn(machine, target)
                machine.trouble = None
            except Exception as error:  # noqa: BLE001 - whatever a worker does, the cloud goes on
                if machine.trouble is None:
                    log.warning("worker.failed", instance=instance_id, reason=str(error))
                machine.trouble, machine.retry_at = str(error), steady() + RETRY_SECONDS

    def _turn(self, machine: _Machine, target: Mode) -> None:
        worker, machine.worker = machine.worker, None
        try:
            if worker is not None:
                worker.stop()
        finally:
            machine.now = "down"
        if target != "down":
            worker = _BROKEN.get(target, self._employ)(machine.spec)
            worker.start()
            machine.worker, machine.now = worker, target

    def _clear_out(self) -> None:
        for instance_id, machine in list(self._machines.items()):
            if machine.gone and machine.settled and not machine.at_work:
                del self._machines[instance_id]
        self._change.notify_all()


def _mode(text: object) -> Mode:
    for mode in get_args(Mode):
        if mode == text:
            return mode  # type: ignore[no-any-return] # one of the literals
    raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}")
