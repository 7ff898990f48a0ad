"""Where it was measured: a figure without its machine says nothing."""

import os
import platform
import sqlite3
import statistics
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("flask", "gunicorn", "k6", "psycopg", "sqlalchemy", "werkzeug")
FSYNCS = 200
PAGE = 4096


def facts(folder: Path) -> dict[str, object]:
    """Describe this machine; `folder` is where the database will be."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in PACKAGES},
        "fsync_ms": fsync_ms(folder),
        "revision": _revision(),
    }


def _processor() -> str:
    """Name the processor, as Linux does."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _revision() -> str:
    """Name the code by its commit, `-dirty` where files differ from it; outside of git it has no name."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()


def fsync_ms(folder: Path) -> float:
    """Measure what the disk asks for keeping a page: the median of some."""
    path = folder / "fsync"
    took = []
    with path.open("wb") as file:
        for _ in range(FSYNCS):
            file.write(b"\0" * PAGE)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - start)
    path.unlink()
    return round(statistics.median(took) * 1000, 3)
