"""Where it was measured: a figure without its machine says nothing."""

import os
import platform
import sqlite3
import statistics
import time
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("flask", "gunicorn", "sqlalchemy", "werkzeug")
FSYNCS = 200
PAGE = 4096


def facts(folder: Path) -> dict[str, object]:
    """Describe this machine; `folder` is where the database will be."""
    return {
        "cores": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in PACKAGES},
        "fsync_ms": round(_fsync_seconds(folder) * 1000, 3),
    }


def _fsync_seconds(folder: Path) -> float:
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
    return statistics.median(took)
