"""Many probes at once, in bounded time."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Lock
from time import monotonic

from app.domain.model import InstanceId

Check = Callable[[str, int], bool]
"""Whether an address and a port answer. An exception means that they do not."""


class Crowd:
    """Runs one check against many targets with `concurrency` threads, for at most `deadline` seconds in all.

    Threads are made at first use, so that none is lost in a fork. Targets that a call could not get to come
    first in the next one: a crowd of hanging hosts delays the others, but never hides them for good.
    """

    def __init__(self, check: Check, *, concurrency: int, deadline: float) -> None:
        self._check = check
        self._concurrency = concurrency
        self._deadline = deadline
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._left_over: tuple[InstanceId, ...] = ()

    def ask(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those that passed the check in time. Never raises."""
        end = monotonic() + self._deadline
        pending: dict[InstanceId, Future[bool]] = {}
        waiting_longest = [one for one in self._left_over if one in targets]
        with suppress(RuntimeError):  # no more threads can be had, or the interpreter is shutting down
            for one in dict.fromkeys([*waiting_longest, *targets]):
                pending[one] = self._pool().submit(self._check, *targets[one])
        wait(pending.values(), timeout=end - monotonic())
        self._left_over = tuple(one for one, answer in pending.items() if answer.cancel())
        return frozenset(one for one, answer in pending.items() if _passed(answer))

    def close(self) -> None:
        """Let the threads end; checks under way run out on their own. A later call starts new ones."""
        with self._lock:
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._concurrency, thread_name_prefix="probe")
            return self._threads


def _passed(answer: Future[bool]) -> bool:
    return answer.done() and not answer.cancelled() and answer.exception() is None and answer.result()
