"""A start with 10,000 living instances in the registry, and 50,000 that are gone; then the worker's memory.

The time runs from the start of `gunicorn wsgi:app`, as `make serve` runs it, to the first allocation that is
answered with 200: asked for again and again, a hundredth of a second after each refused connection. SQLite,
the poller on, and AWS a process beside it that answers at once (the XML of the simulated cloud, for 10,000
members). The figure is the median of some starts; the files of Python and of the database are in the system's
cache.

The memory is what the system counts as resident of the one worker process (RSS, with what it shares with the
master; PSS, which splits that, is beside it), after the first passes over all instances, fifty allocations
and some answers to `GET /status`: the largest of the starts. RSS is the stricter of the two, and no master
beside the worker makes it less. The peak is the most that it ever had at once.
"""

import http.client
import statistics
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import servers
from bench.aws import Aws, aws
from bench.population import at_rest, populate
from bench.process import pss_mb, resident_mb, workers_of
from bench.servers import Server
from tests.waiting import until

INSTANCES = 10_000
IDLE, BUFFER = 500, 50
"""Enough for the allocations of all starts, so that nothing has to be launched."""
STARTS, QUICK_STARTS = 3, 2
CLAIMS = 50
STATUSES = 5
WITHIN = 120.0


def measure(
    home: Path, now: datetime, *, quick: bool, living: int = INSTANCES, starts: int = STARTS
) -> dict[str, Any]:
    """Measure so many starts with so many instances."""
    database = f"sqlite:///{home}/registry.db"
    populate(database, living, now, at_rest(IDLE))
    with aws(home, database) as cloud:
        rounds = [
            _start(home, database, cloud, number)
            for number in range(min(starts, QUICK_STARTS) if quick else starts)
        ]
    times, memory = [one["start_s"] for one in rounds], [one["rss_mb"] for one in rounds]
    return {
        "figures": {
            "start": {"value": statistics.median(times), "rounds": times},
            "memory": {"value": max(memory), "rounds": memory},
        },
        "details": {
            "instances": living,
            "PSS of the worker, MB": max(one["pss_mb"] for one in rounds),
            "its RSS at the first allocation, MB": max(one["first_rss_mb"] for one in rounds),
            "the most it ever had, MB": max(one["peak_mb"] for one in rounds),
        },
        "rounds": rounds,
    }


def _start(home: Path, database: str, cloud: Aws, number: int) -> dict[str, float]:
    """Start once, and look at the worker; `number` tells the projects of the starts apart."""
    cloud.forget()
    with servers.service(
        home,
        database,
        ready=False,
        settings={
            **cloud.settings,
            "ORCHESTRATOR_POLLER": "on",
            "ORCHESTRATOR_POLL_INTERVAL": "2",
            "ORCHESTRATOR_BUFFER": str(BUFFER),
        },
    ) as server:
        begun = time.perf_counter()
        _first(server, f"start-{number}")
        took = time.perf_counter() - begun
        (worker,) = workers_of(server.master)
        first = resident_mb(worker)
        for claim in range(CLAIMS):
            _ask(server, f"/start-{number}-{claim}")
        for _ in range(STATUSES):
            _ask(server, "/status")
        # Each pass begins with it, and one has ended where the third begins.
        until(lambda: _looks(cloud) > 2, within=WITHIN, what="two passes")  # noqa: PLR2004
        _ask(server, "/status")
        return {
            "start_s": round(took, 3),
            "first_rss_mb": round(first, 1),
            "rss_mb": round(resident_mb(worker), 1),
            "pss_mb": round(pss_mb(worker), 1),
            "peak_mb": _peak_mb(worker),
        }


def _peak_mb(process: int) -> float:
    """Tell the most memory that a process ever had in use; off Linux, what it has now."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return round(resident_mb(process), 1)
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) * 1024 / 1e6, 1)


def _looks(cloud: Aws) -> int:
    return sum(call.action == "DescribeAutoScalingGroups" for call in cloud.calls())


def _first(server: Server, project: str) -> None:
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            return _ask(server, f"/{project}")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)  # noqa: TID251 - waits for another process


def _ask(server: Server, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WITHIN)
    try:
        connection.request("GET", path, headers=dict(server.headers))
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"not an answer to measure: {answer.status} to GET {path}")
    finally:
        connection.close()
