"""A pass over a pool of 10,000 instances at rest, in a process that does nothing else.

The registry is as a pool leaves it after some weeks: 10,000 living instances, 50,000 that are gone. AWS is a
process beside it, which answers with the XML that the simulated cloud gives for one instance, 10,000 times:
4.4 MB for the group, 33 MB in ten pages for a full sweep. The pass is the service's own, with its boto3 and
its registry on SQLite, wired as in the service; the calls are counted where they arrive, and the CPU time is
that of the whole process during the pass, the median of some. A full sweep, which is due every five minutes,
asks EC2 about every instance; the clock is put forward for it. Not in these figures is what the poller does
beside its passes: probes, time limits, samples.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app.aws.gateway import SWEEP_EVERY
from app.bootstrap import pools
from app.bootstrap.clock import SystemClock
from app.domain.model import DEFAULT_POOL
from app.registry.activity import SqlActivity
from app.registry.controls import SqlControls
from app.registry.database import open_database
from app.registry.lifetimes import SqlLifetimes
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.settings import load_settings
from app.telemetry import logs
from app.telemetry.metrics import Metrics
from bench.aws import Aws, aws
from bench.population import at_rest, populate

INSTANCES = 10_000
IDLE = 50
PASSES, SWEEPS = 9, 3
QUICK_PASSES, QUICK_SWEEPS = 3, 1
WITHIN = 300.0


class Ahead:
    """The machine's clock, which can be put forward."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._by = timedelta()

    def now(self) -> datetime:
        """See Clock.now."""
        return self._clock.now() + self._by

    def put_forward(self, by: timedelta) -> None:
        """Have so much time pass at once."""
        self._by += by


class Undisputed:
    """The mandate of a replica that is alone."""

    trusted = True

    def confirm(self) -> None:
        """See Mandate.confirm."""


def measure(home: Path, now: datetime, *, quick: bool, living: int = INSTANCES) -> dict[str, Any]:
    """Measure the passes of a pool of so many."""
    database = f"sqlite:///{home}/registry.db"
    populate(database, living, now, at_rest(IDLE))
    with aws(home, database) as cloud:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")},  # noqa: TID251 - a child process needs PATH and the like
            **cloud.settings,
            "ORCHESTRATOR_ENV_FILE": "",
            "ORCHESTRATOR_DATABASE_URL": database,
            "ORCHESTRATOR_BUFFER": str(IDLE),
            "ORCHESTRATOR_LOG_FORMAT": "json",
        }
        counts = (QUICK_PASSES, QUICK_SWEEPS) if quick else (PASSES, SWEEPS)
        command = [sys.executable, "-m", "bench.passes", *map(str, counts), str(home / "passes.json")]
        with (home / "passes.log").open("wb") as log:
            subprocess.run(command, env=environment, stdout=log, check=True, timeout=WITHIN)
    passes = json.loads((home / "passes.json").read_text())
    ordinary, sweeps = passes["ordinary"], passes["sweeps"]
    return {
        "figures": {
            "pass_calls": _figure([sum(one["calls"].values()) for one in ordinary], max),
            "sweep_calls": _figure([sum(one["calls"].values()) for one in sweeps], max),
            "pass_cpu": _figure([one["cpu"] for one in ordinary], statistics.median),
        },
        "details": {
            "instances": living,
            "CPU of the first pass, which reads everything, s": round(passes["first"]["cpu"], 3),
            "CPU of a full sweep, s": round(statistics.median(one["cpu"] for one in sweeps), 3),
            "a pass from its begin to its end, s": round(
                statistics.median(one["wall"] for one in ordinary), 3
            ),
        },
        **passes,
    }


def _figure(rounds: list[float], of: Callable[[list[float]], float]) -> dict[str, Any]:
    return {"value": round(of(rounds), 4), "rounds": [round(one, 4) for one in rounds]}


class Passes:
    """The passes of one pool in one term, each measured."""

    def __init__(self) -> None:
        settings = load_settings()
        logs.configure(settings.log_format, settings.secrets)
        self._clock = Ahead()
        self._transactions = Transactions(open_database(settings.database_url, connections=3))
        metrics = Metrics(settings.pools)
        jobs = pools.new_jobs(
            settings.pools[DEFAULT_POOL],
            pools.connections(settings, watch=metrics.aws_answered)[DEFAULT_POOL],
            SqlRegistry(self._transactions),
            SqlControls(self._transactions),
            SqlLifetimes(self._transactions),
            activity=SqlActivity(self._transactions),
            meter=metrics,
            clock=self._clock,
        )
        self._tick = jobs(Undisputed()).tick
        self._aws = Aws.of(os.environ["AWS_ENDPOINT_URL"])  # noqa: TID251 - as the service reads it

    def run(self) -> dict[str, Any]:
        """Run one, and say what it took. Raises RuntimeError where it found something to do."""
        self._aws.forget()
        cpu, wall = time.process_time(), time.perf_counter()
        report = self._tick(False, lambda: False)
        took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        if report.changed or report.unsettled or report.failed or not report.took_place:
            raise RuntimeError(f"not a pass at rest: {report}")
        return {**took, "calls": Counter(call.action for call in self._aws.calls())}

    def sweep(self) -> dict[str, Any]:
        """Run one in which EC2 is asked about every instance."""
        self._clock.put_forward(SWEEP_EVERY)
        return self.run()

    def close(self) -> None:
        """Let go of the database."""
        self._transactions.close()


def main(ordinary: int, sweeps: int, into: Path) -> None:
    """Run so many of each, and write down what each took."""
    passes = Passes()
    first = passes.run()  # which sweeps, and reads everything
    share = ordinary // sweeps
    found: dict[str, Any] = {"first": first, "ordinary": [], "sweeps": []}
    for _ in range(sweeps):
        found["ordinary"] += [passes.run() for _ in range(share)]
        found["sweeps"].append(passes.sweep())
    passes.close()
    into.write_text(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
