"""Where the jobs run that no shutdown waits for."""

from collections.abc import Sequence
from datetime import datetime
from threading import Thread
from time import monotonic
from typing import Any

from apscheduler.executors.base import BaseExecutor, run_job


class Aside(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Runs each job in a daemon thread of its own: it delays no other job, and no end.

    APScheduler's shutdown waits for its pools, and so does the end of the process for Python's. This is for
    jobs that may hang on the network, can be cut off at any line without harm, and run one at a time
    (max_instances=1). A shutdown gives all that still run `grace` seconds to finish.
    """

    def __init__(self, grace: float) -> None:
        super().__init__()
        self._grace = grace
        self._threads: dict[str, Thread] = {}

    def shutdown(self, wait: bool = True) -> None:
        """Wait for what is nearly done, and leave the rest behind."""
        if wait:
            end = monotonic() + self._grace
            for thread in self._threads.values():
                thread.join(max(0.0, end - monotonic()))

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        thread = Thread(target=self._run, args=(job, run_times), name=job.id, daemon=True)
        thread.start()
        self._threads[job.id] = thread

    def _run(self, job: Any, run_times: Sequence[datetime]) -> None:
        told = run_job(job, job._jobstore_alias, run_times, self._logger.name)  # noqa: SLF001 - as all executors
        self._run_job_success(job.id, told)
