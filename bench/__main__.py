"""`make bench`: how many durable allocations a second, next to the least that the same stack can do.

Three kinds of requests take turns: a bare Flask route, a project that asks again, and a new project, whose
allocation is on disk when it is told. One, two and three processes share the load: on PostgreSQL, where they
are replicas, and up to two on SQLite, whose one writer they share. Then new projects come at a constant rate,
half of what one process did on SQLite, and the time each waits is measured. Last comes the dashboard, with a
pool of 2,000 instances: how soon its page is there, and what a viewer costs who leaves it open.
"""

import argparse
import itertools
import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import contest, dashboard, machine, servers, table
from bench.contest import CONNECTIONS, WARM_UP, Contender
from tests.postgres import a_server_of_ones_own

HOME = Path("var/bench")
RESULTS = Path("bench/results.json")
REPLICAS = 3
MOST_A_SECOND = 2_500
"""No machine is expected to allocate faster: so many idle instances are prepared for each second."""


@dataclass(frozen=True)
class Field:
    """All contenders, with their servers running."""

    bare: tuple[Contender, ...]
    sqlite: tuple[Contender, ...]
    again: Contender
    postgresql: tuple[Contender, ...]

    @property
    def everybody(self) -> tuple[Contender, ...]:
        """The order in which they take turns."""
        return (*self.bare, *self.sqlite, self.again, *self.postgresql)


def main() -> None:
    """Measure, print one table, and write bench/results.json."""
    options = _options()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    now = datetime.now(UTC)  # noqa: TID251 - says when it was measured
    where = machine.facts(HOME)
    seconds = options.rounds * options.seconds + WARM_UP
    with ExitStack() as running:
        sqlite = f"sqlite:///{HOME}/registry.db"
        postgresql = running.enter_context(a_server_of_ones_own(durable=True)).new_database("bench")
        # Two contenders on SQLite, each in the closed and in the open model; three on PostgreSQL.
        to_allocate = {
            sqlite: 2 * (seconds + options.open_rounds * options.open_seconds),
            postgresql: REPLICAS * seconds,
        }
        kept = {url: servers.fill(url, int(MOST_A_SECOND * of), now) for url, of in to_allocate.items()}
        field = _field(running, sqlite, postgresql)
        samples = contest.rounds(field.everybody, options.rounds, options.seconds)
        rate = contest.median_rate(samples[field.sqlite[0].key]) / 2
        waits = contest.constant(field.sqlite, options.open_rounds, options.open_seconds, rate)
    seen = dashboard.measure(HOME, now, options.dashboard_requests)
    shutil.rmtree(HOME)
    results = {
        "measured_at": now.isoformat(timespec="seconds"),
        "command": "python -m bench",
        "rounds": options.rounds,
        "seconds_a_round": options.seconds,
        "threads": CONNECTIONS,
        "machine": where,
        "sqlite": kept[sqlite],
        "postgresql": kept[postgresql],
        "closed_loop": [contest.closed_figures(one, samples) for one in field.everybody],
        "open_model_new_project_sqlite": {
            str(one.processes): contest.open_figures(waits[one.key], rate) for one in field.sqlite
        },
        "dashboard": seen,
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    table.show(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each kind of request in each round")
    parser.add_argument("--open-rounds", type=int, default=3)
    parser.add_argument(
        "--open-seconds", type=float, default=4.0, help="of requests at a constant rate, in each"
    )
    parser.add_argument("--dashboard-requests", type=int, default=200, help="of each kind")
    return parser.parse_args()


def _field(running: ExitStack, sqlite: str, postgresql: str) -> Field:
    plain = running.enter_context(servers.yardsticks(REPLICAS))
    workers = running.enter_context(servers.services(2, sqlite))
    replicas = running.enter_context(servers.services(REPLICAS, postgresql))
    fresh = (f"project-{number}" for number in itertools.count())
    same = itertools.repeat("project-0")
    bare = tuple(Contender("bare Flask route", plain[:count], same) for count in range(1, REPLICAS + 1))
    return Field(
        bare=bare,
        sqlite=tuple(
            Contender("new project, SQLite", workers[:count], fresh, bare[count - 1]) for count in (1, 2)
        ),
        again=Contender("same project, SQLite", workers[:1], same, bare[0]),
        postgresql=tuple(
            Contender("new project, PostgreSQL", replicas[:count], fresh, bare[count - 1])
            for count in range(1, REPLICAS + 1)
        ),
    )


if __name__ == "__main__":
    main()
