"""What the dashboard costs: its first page, and a viewer who leaves it open, by CPU time of the service.

The page asks for its live sections every two seconds, and for its chart now and then, as script.js does.
Each kind of request is repeated, one after the other, and the CPU time that the worker took meanwhile is
divided by their number: what a viewer takes of a core is then what these requests cost in a second.
"""

import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

from bench import servers
from bench.population import populate

INSTANCES = 2_000
POLL_SECONDS = 2.0
CHART_SECONDS = 15.0
PROMISED_SHARE = 0.02
"""Of one core, for each viewer."""
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


def measure(home: Path, now: datetime, requests: int, living: int = INSTANCES) -> dict[str, object]:
    """Measure a pool of so many instances on SQLite."""
    database = f"sqlite:///{home}/dashboard.db"
    populate(database, living, now)
    with servers.one_service(database) as (port, master), Viewer(port) as viewer:
        return {"instances": living, **_figures(viewer, _worker_of(master), requests)}


def _figures(viewer: Viewer, worker: int, requests: int) -> dict[str, object]:
    page, page_cpu, page_bytes = _cost(lambda: viewer.get_anew("/dashboard"), worker, requests)
    _, quiet_cpu, _ = _cost(lambda: viewer.get(POLL), worker, requests)
    poll, poll_cpu, poll_bytes = _cost(lambda: viewer.get_anew(POLL), worker, requests)
    _, chart_cpu, _ = _cost(lambda: viewer.get_anew(CHART), worker, requests)
    return {
        "requests_of_each_kind": requests,
        "first_page_ms": _ms(statistics.median(page)),
        "first_page_max_ms": _ms(max(page)),
        "first_page_cpu_ms": _ms(page_cpu),
        "first_page_kb": round(page_bytes / 1000, 1),
        "poll_ms": _ms(statistics.median(poll)),
        "poll_cpu_ms": _ms(poll_cpu),
        "poll_kb": round(poll_bytes / 1000, 1),
        "quiet_poll_cpu_ms": _ms(quiet_cpu),
        "chart_cpu_ms": _ms(chart_cpu),
        "share_of_a_core_per_viewer": round(poll_cpu / POLL_SECONDS + chart_cpu / CHART_SECONDS, 5),
        "share_of_a_core_at_rest": round(quiet_cpu / POLL_SECONDS + chart_cpu / CHART_SECONDS, 5),
        "promised_share": PROMISED_SHARE,
    }


def _cost(ask: Callable[[], tuple[int, int]], worker: int, count: int) -> tuple[list[float], float, int]:
    """Ask so often; return the seconds that each took, the CPU seconds of one, and the longest answer."""
    for _ in range(WARM_UP):
        ask()
    took, longest = [], 0
    before = _cpu_seconds(worker)
    for _ in range(count):
        start = time.perf_counter()
        _, length = ask()
        took.append(time.perf_counter() - start)
        longest = max(longest, length)
    return took, (_cpu_seconds(worker) - before) / count, longest


def _worker_of(master: int) -> int:
    """Name the one process that gunicorn's master has started."""
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = (map(int, line.split()) for line in said.stdout.splitlines())
    (worker,) = (pid for pid, parent in pairs if parent == master)
    return worker


def _cpu_seconds(process: int) -> float:
    """Tell how long a process has run on any core: to a hundredth, in user and system mode."""
    stat = Path(f"/proc/{process}/stat")
    if stat.exists():
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100
    said = subprocess.run(
        ["ps", "-o", "time=", "-p", str(process)], capture_output=True, text=True, check=True
    )
    return sum(float(part) * 60.0**place for place, part in enumerate(reversed(said.stdout.split(":"))))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
