"""What the dashboard costs: its first page, and a viewer who leaves it open, by CPU time of the service.

The registry is on SQLite, as a pool of 2,000 living instances leaves it after some weeks. The page asks for
its live sections every two seconds, and for its chart every fifteen, as its script does. Each kind of request
is repeated, one after the other, and the CPU time that the worker took meanwhile is divided by their number:
what a viewer takes of a core is then what these requests cost in a second, in the median round. The figure
is of a viewer for whom each poll finds news; at rest, which is told beside it, most polls are answered by
"not modified".
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

from bench import servers
from bench.population import populate
from bench.process import cpu_seconds, workers_of

INSTANCES = 2_000
POLL_SECONDS = 2.0
CHART_SECONDS = 15.0
ROUNDS, QUICK_ROUNDS = 4, 2
REQUESTS, QUICK_REQUESTS = 50, 15
"""Of each kind, in each round."""
POLL, CHART = "/dashboard/live", "/dashboard/chart"
WARM_UP = 5


class Viewer:
    """A browser as the server sees it: one connection, and what it has is asked for again by its ETag."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._known: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> tuple[int, int]:
        """Ask; return the status and the length of the answer."""
        headers = {"If-None-Match": self._known[path]} if path in self._known else {}
        self._connection.request("GET", path, headers={"Accept": "text/html", **headers})
        answer = self._connection.getresponse()
        length = len(answer.read())
        if answer.status not in {200, 304}:
            raise RuntimeError(f"not an answer to measure: {answer.status} to {path}")
        if tag := answer.headers.get("ETag"):
            self._known[path] = tag
        return answer.status, length

    def get_anew(self, path: str) -> tuple[int, int]:
        """Ask as one who has seen nothing yet."""
        self._known.pop(path, None)
        return self.get(path)


def measure(home: Path, now: datetime, *, quick: bool, living: int = INSTANCES) -> dict[str, Any]:
    """Measure a pool of so many instances."""
    database = f"sqlite:///{home}/dashboard.db"
    populate(database, living, now)
    quiet = {"ORCHESTRATOR_AUTH": "off", "ORCHESTRATOR_POLL_INTERVAL": "3600"}  # which misses no pass
    with servers.service(home, database, settings=quiet) as service, Viewer(service.port) as viewer:
        (worker,) = workers_of(service.master)
        requests = QUICK_REQUESTS if quick else REQUESTS
        rounds = [_round(viewer, worker, requests) for _ in range(QUICK_ROUNDS if quick else ROUNDS)]
    page, news, none, chart = ([one[kind] for one in rounds] for kind in ("page", "news", "none", "chart"))
    return {
        "figures": {"viewer": _share(news, chart)},
        "details": {
            "first page": f"{_wait(page):.0f} ms, longest {max(max(one.waits_ms) for one in page):.0f} ms, "
            f"{_cpu(page):.1f} ms of CPU, {page[0].longest / 1000:.0f} kB",
            "poll that finds news": f"{_wait(news):.1f} ms, {_cpu(news):.1f} ms of CPU, "
            f"{news[0].longest / 1000:.0f} kB",
            "poll that finds none": f"{_cpu(none):.1f} ms of CPU",
            "chart": f"{_cpu(chart):.1f} ms of CPU",
            "a viewer at rest, of one core": f"{_share(none, chart)['value']:.2f} %",
            "requests of each kind": requests * len(rounds),
        },
        "first_page_ms": [one.waits_ms for one in page],
        "poll_ms": [one.waits_ms for one in news],
    }


@dataclass(frozen=True, slots=True)
class Cost:
    """What requests of one kind cost in one round."""

    waits_ms: list[float]
    cpu_ms: float
    """Of one request."""
    longest: int
    """Bytes of the longest answer."""


def _round(viewer: Viewer, worker: int, requests: int) -> dict[str, Cost]:
    return {
        "page": _cost(lambda: viewer.get_anew("/dashboard"), worker, requests),
        "none": _cost(lambda: viewer.get(POLL), worker, requests),
        "news": _cost(lambda: viewer.get_anew(POLL), worker, requests),
        "chart": _cost(lambda: viewer.get_anew(CHART), worker, requests),
    }


def _share(polls: Sequence[Cost], charts: Sequence[Cost]) -> dict[str, Any]:
    """Tell what a viewer takes of a core, in percent."""
    rounds = [
        round((poll.cpu_ms / POLL_SECONDS + chart.cpu_ms / CHART_SECONDS) / 10, 3)
        for poll, chart in zip(polls, charts, strict=True)
    ]
    return {"value": round(statistics.median(rounds), 3), "rounds": rounds}


def _wait(costs: Sequence[Cost]) -> float:
    return statistics.median(wait for cost in costs for wait in cost.waits_ms)


def _cpu(costs: Sequence[Cost]) -> float:
    return statistics.median(cost.cpu_ms for cost in costs)


def _cost(ask: Callable[[], tuple[int, int]], worker: int, count: int) -> Cost:
    """Ask so often, as one after the other does."""
    for _ in range(WARM_UP):
        ask()
    waits, longest = [], 0
    before = cpu_seconds(worker)
    for _ in range(count):
        start = time.perf_counter()
        _, length = ask()
        waits.append(round((time.perf_counter() - start) * 1000, 2))
        longest = max(longest, length)
    return Cost(waits, (cpu_seconds(worker) - before) / count * 1000, longest)
