"""The thread that lets time pass in the simulated cloud."""

from collections.abc import Callable
from threading import Event, Thread

import structlog

from app.simulator.clock import steady

IDLE_SECONDS = 0.25
"""How often it looks when nothing is due: for workers that must be started again."""

log = structlog.get_logger()


class Hypervisor:
    """Calls `step(now)` when something is due, when woken, and now and then; it returns what is due next."""

    def __init__(self, step: Callable[[float], float]) -> None:
        self._step = step
        self._bell = Event()
        self._over = False
        self._thread = Thread(target=self._run, name="hypervisor", daemon=True)

    def start(self) -> None:
        """Let time pass from now on."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once: something has changed."""
        self._bell.set()

    def stop(self) -> None:
        """Let time stand still; returns when the last step is done."""
        self._over = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._over:
            self._bell.clear()
            self._bell.wait(self._pass())

    def _pass(self) -> float:
        try:
            due = self._step(steady())
        except Exception:  # a bug here must not leave a cloud in which nothing ever happens again
            log.exception("hypervisor.failed")
            return IDLE_SECONDS
        return max(0.0, min(due - steady(), IDLE_SECONDS))
