"""`GET /status` of a pool with 10,000 living instances, and 50,000 that are gone, on SQLite.

The whole answer is asked for, one request after the other, and read to its end. The CPU time is what the
worker took meanwhile, divided by their number: the mean of a round, the median of the rounds. The answer is
read, written and sent in pieces, and begins once all of it was read without an error: so its length is told
before, and the worker grows by less than it is long. The first byte is what a reader waits for. No poller
runs here, so that nothing else takes time of the worker.
"""

import http.client
import statistics
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import servers
from bench.population import populate
from bench.process import cpu_seconds, resident_mb, workers_of
from bench.servers import Server

INSTANCES = 10_000
ROUNDS, QUICK_ROUNDS = 5, 2
ANSWERS = 10
"""In a round: the system tells CPU time to a hundredth of a second."""
WARM_UP = 2


def measure(home: Path, now: datetime, *, quick: bool, living: int = INSTANCES) -> dict[str, Any]:
    """Measure a pool of so many."""
    database = f"sqlite:///{home}/registry.db"
    populate(database, living, now)
    with servers.service(home, database) as server:
        (worker,) = workers_of(server.master)
        before = resident_mb(worker)
        _round(server, worker, WARM_UP)
        warm = resident_mb(worker)
        rounds = [_round(server, worker, ANSWERS) for _ in range(QUICK_ROUNDS if quick else ROUNDS)]
        after = resident_mb(worker)
    cpu = [one["cpu_ms"] for one in rounds]
    return {
        "figures": {"status_cpu": {"value": statistics.median(cpu), "rounds": cpu}},
        "details": {
            "instances": living,
            "an answer to its end, ms": statistics.median(one["ms"] for one in rounds),
            "its size, MB": rounds[0]["mb"],
            "its first byte, ms": statistics.median(one["first_byte_ms"] for one in rounds),
            "how much the worker grew by the first of them, MB": round(warm - before, 1),
            "how much by all that followed, MB": round(after - warm, 1),
        },
        "rounds": rounds,
    }


def _round(server: Server, worker: int, count: int) -> dict[str, Any]:
    cpu, start = cpu_seconds(worker), time.perf_counter()
    answers = [_status(server) for _ in range(count)]
    took = time.perf_counter() - start
    length, _ = answers[-1]
    return {
        "cpu_ms": round((cpu_seconds(worker) - cpu) / count * 1000, 1),
        "ms": round(took / count * 1000, 1),
        "first_byte_ms": round(statistics.median(first for _, first in answers) * 1000, 1),
        "mb": round(length / 1e6, 2),
    }


def _status(server: Server) -> tuple[int, float]:
    """Ask once; return how long the answer was, and after how many seconds it began."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        start = time.perf_counter()
        connection.request("GET", "/status", headers=dict(server.headers))
        answer = connection.getresponse()
        first = time.perf_counter() - start
        length = len(answer.read())
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"not an answer to measure: {answer.status} to GET /status")
        return length, first
    finally:
        connection.close()
