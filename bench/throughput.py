"""How many durable allocations a second, in a closed model: each connection has one request in hand, always.

`GET /<projectId>` for a project that is new each time, over keep-alive connections, as many as there are
threads. Each answered allocation is on disk: SQLite with `synchronous=FULL`, PostgreSQL with `fsync` and
`synchronous_commit` on. Everything is on as `make serve` has it: a token of the table in each request, the
metrics of several processes, and a JSON line of log for each request, written to a file. The poller is off,
and the pool holds more idle instances than will be asked for.

The yardstick is a Flask route that answers the same JSON out of nothing, sent the same requests, under the
same gunicorn with the same worker class, threads and number of workers. One process with eight threads is
slowed by Python's own lock, so two of them do more than twice what one does. Two workers are two gunicorns
with one each, as two replicas are, so that each has its share of the connections. That the service's own
worker class does not slow the yardstick, but makes it faster, is told by the bare route under gunicorn's own
`gthread`, beside it.

All take turns, round after round; a ratio is taken within each round, and the figure is the median of these.
The load comes from `bench/load.py`, one thread over raw sockets, on the same machine as what it measures. It
needs nothing installed, and takes as little of the machine as wrk: in turns with wrk 4.1 (one thread, as many
connections, a new project each time) the two found the same within the noise, 0.92 of wrk's rate for the bare
route and 0.91 for the service in the median of five rounds, and each took less than a tenth of a core.

Beside it, what somebody would otherwise write, in `bench/rivals.py`, under the same gunicorn with two
workers: a queue table in the same PostgreSQL (`UPDATE ... FOR UPDATE SKIP LOCKED` and `INSERT` in one
transaction), and a service that asks AWS at each request (a process beside it that answers with the XML of
the simulated cloud, after 100 ms, and costs next to nothing). Both do less: no tokens, metrics, logs or
readiness.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import contest, machine, rivals, servers
from bench.aws import aws
from bench.contest import WARM_UP, Contender, Samples
from bench.population import at_rest, populate
from tests.postgres import a_server_of_ones_own

ROUNDS, SECONDS = 7, 1.5
QUICK_ROUNDS, QUICK_SECONDS = 3, 0.5
MOST_A_SECOND = 4_000
"""No machine is expected to allocate faster: so many idle instances are prepared for each second."""
RIVAL_AHEAD = 3
"""A rival does less, and may be so many times as fast."""
AWS_SECONDS = 0.1
FEW = 10
WORDS = {
    "bare": "bare Flask route, 1 worker",
    "gthread": "bare Flask route, 1 worker, gunicorn's own gthread",
    "sqlite": "new project, SQLite, 1 worker",
    "again": "same project again, SQLite, 1 worker",
    "bare_2": "bare Flask route, 2 workers",
    "postgresql": "new project, PostgreSQL, 2 workers",
    "queue_table": "a queue table in PostgreSQL, 2 workers",
    "asking_aws": "asking AWS in each request, 2 workers",
}


@dataclass(frozen=True)
class Places:
    """Where the contenders keep what they give away."""

    sqlite: str
    postgresql: str
    queue: str
    cloud: str


def measure(home: Path, now: datetime, *, quick: bool, rounds: int | None = None) -> dict[str, Any]:
    """Measure all contenders, the rivals among them."""
    count = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    seconds = QUICK_SECONDS if quick else SECONDS
    needed = int(MOST_A_SECOND * (count * seconds + WARM_UP))
    with ExitStack() as running:
        server = running.enter_context(a_server_of_ones_own(durable=True))
        places = Places(
            sqlite=f"sqlite:///{home}/registry.db",
            postgresql=server.new_database("bench"),
            queue=server.new_database("queue").replace("+psycopg", ""),
            cloud=running.enter_context(_slow_cloud(home, now)),
        )
        kept = {
            "sqlite": servers.fill(places.sqlite, needed, now),
            "postgresql": servers.fill(places.postgresql, needed, now),
        }
        rivals.fill(places.queue, needed * RIVAL_AHEAD)
        synced = machine.fsync_ms(server.home)
        samples = contest.rounds(_field(running, home, places), count, seconds)
    return {
        "figures": _figures(samples),
        "details": {
            **_details(samples),
            "rounds of each": f"{count} of {seconds} s",
            "one fsync on PostgreSQL's disk, ms": synced,
        },
        "databases": kept,
        "seconds_a_round": seconds,
        "rounds": {key: contest.raw(some) for key, some in samples.items()},
    }


def _field(running: ExitStack, home: Path, places: Places) -> list[Contender]:
    on_sqlite = running.enter_context(servers.service(home, places.sqlite))
    on_postgresql = [running.enter_context(servers.service(home, places.postgresql)) for _ in range(2)]
    fresh = (f"project-{number}" for number in itertools.count())
    same = itertools.repeat("project-0")
    headers = on_sqlite.headers

    def other(key: str, application: str, workers: int, paths: Iterator[str], *options: str) -> Contender:
        some = [running.enter_context(servers.yardstick(home, application, options)) for _ in range(workers)]
        return Contender(key, some, paths, headers)

    return [
        other("bare", "bench.bare:app", 1, same),
        other("gthread", "bench.bare:app", 1, same, "--worker-class", "gthread"),
        Contender("sqlite", [on_sqlite], fresh, headers),
        Contender("again", [on_sqlite], same, headers),
        other("bare_2", "bench.bare:app", 2, same),
        Contender("postgresql", on_postgresql, fresh, on_postgresql[0].headers),
        other("queue_table", f"bench.rivals:queue_table({places.queue!r})", 2, fresh),
        other("asking_aws", f"bench.rivals:asking_aws({places.cloud!r})", 2, fresh),
    ]


def _figures(samples: Samples) -> dict[str, Any]:
    return {
        "sqlite_throughput": contest.ratio(samples["sqlite"], samples["bare"]),
        "postgresql_throughput": contest.ratio(samples["postgresql"], samples["bare_2"]),
        "queue_table": contest.ratio(samples["postgresql"], samples["queue_table"]),
        "asking_aws": contest.ratio(samples["postgresql"], samples["asking_aws"]),
    }


def _details(samples: Samples) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, words in WORDS.items():
        raw = contest.raw(samples[key])
        lowest, highest = min(raw["per_second"]), max(raw["per_second"])
        p50, p99 = median(raw["p50_ms"]), median(raw["p99_ms"])
        told[words] = (
            f"{contest.rate(samples[key]):,.0f} a second ({lowest:,.0f} to {highest:,.0f}), "
            f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"
        )
    share = max(max(contest.raw(some)["generator_share_of_a_core"]) for some in samples.values())
    return told | {
        "SQLite, to the bare route under gunicorn's own gthread": contest.ratio(
            samples["sqlite"], samples["gthread"]
        )["value"],
        "what the load took of a core, at most": f"{share:.0%}",
    }


@contextmanager
def _slow_cloud(home: Path, now: datetime) -> Iterator[str]:
    """Run an AWS with some members, which takes its time for each answer; yields its address."""
    database = f"sqlite:///{home}/few.db"
    populate(database, FEW, now, at_rest(FEW))
    with aws(home, database) as cloud:
        cloud.take(AWS_SECONDS)
        yield cloud.settings["AWS_ENDPOINT_URL"]
