"""How long a caller waits at half load, in an open model: requests come at a constant rate, answered or not.

First the service says, in a closed model, how many allocations a second it can do on SQLite with one worker
of eight threads. Then k6 sends half as many (`constant-arrival-rate`), each for a new project, to the service
and to the bare Flask route in turns, round after round. Both get the same rate: the bare route is not asked
for half of what *it* could do, so the ratio errs to the service's disadvantage. Everything is on as above.

p50, p99 and the longest are k6's own (`http_req_duration`); a second of warm-up before each stretch is not in
them. k6 sends each request when it is due, whatever became of those before, so a pause of the server falls on
all who came meanwhile. What it could not send, with 256 requests in hand, is told below; where the service
has any, the figure is better than the truth. The figure is the median of the rounds' ratios of p99.

k6 runs on the same machine and takes a good part of a core, which slows whatever it measures, the bare route
as well. So the same is asked once more from `bench/load.py`, which takes far less, and told beside it.
"""

import itertools
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import contest, k6, load, servers
from bench.contest import WARM_UP, Contender
from bench.k6 import Waits
from bench.throughput import MOST_A_SECOND

ROUNDS, SECONDS, OWN_SECONDS = 5, 5, 1.5
QUICK_ROUNDS, QUICK_SECONDS = 2, 2
CLOSED_ROUNDS = 3
CALLERS = 64
"""Connections of our own generator: enough for a pause of the server."""
WORDS = {"bare": "bare Flask route", "sqlite": "new project, SQLite"}


def measure(home: Path, now: datetime, *, quick: bool, rounds: int | None = None) -> dict[str, Any]:
    """Measure the service, and the bare route at the same rate."""
    count = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    seconds = QUICK_SECONDS if quick else SECONDS
    database = f"sqlite:///{home}/registry.db"
    a_round = (k6.WARM_UP + seconds + OWN_SECONDS) / 2
    servers.fill(database, int(MOST_A_SECOND * (WARM_UP + CLOSED_ROUNDS + count * a_round)), now)
    with ExitStack() as running:
        service = running.enter_context(servers.service(home, database))
        bare = running.enter_context(servers.yardstick(home))
        fresh = (f"project-{number}" for number in itertools.count())
        contenders = [
            Contender("bare", [bare], itertools.repeat("project-0"), service.headers),
            Contender("sqlite", [service], fresh, service.headers),
        ]
        rate = _half_of_what_it_can(contenders[1])
        told: dict[str, list[Waits]] = {one.key: [] for one in contenders}
        own: dict[str, list[load.Sample]] = {one.key: [] for one in contenders}
        for number in range(count):
            for one in contenders:
                told[one.key].append(_by_k6(one, rate, seconds, number))
                own[one.key].append(_by_our_own(one, rate))
    return {
        "figures": {"sqlite_p99": contest.figure(_ratios(told))},
        "details": {**_details(told, own, rate), "rounds of each, by k6": f"{count} of {seconds} s"},
        "rate": rate,
        "k6": {key: [vars(one) for one in some] for key, some in told.items()},
        "own": {key: contest.raw(some) for key, some in own.items()},
    }


def _half_of_what_it_can(one: Contender) -> int:
    samples = contest.rounds([one], CLOSED_ROUNDS, seconds=1.0)
    return int(contest.rate(samples[one.key]) / 2)


def _by_k6(one: Contender, rate: int, seconds: int, number: int) -> Waits:
    url = f"http://127.0.0.1:{one.ports[0]}"
    return k6.constant(url, one.headers, rate=rate, seconds=seconds, projects=f"round-{number}")


def _by_our_own(one: Contender, rate: int) -> load.Sample:
    return load.constant(
        one.ports, one.paths, connections=CALLERS, seconds=OWN_SECONDS, rate=rate, headers=one.headers
    )


def _ratios(told: dict[str, list[Waits]]) -> list[float]:
    return [mine.p99 / bare.p99 for mine, bare in zip(told["sqlite"], told["bare"], strict=True)]


def _details(
    told: dict[str, list[Waits]], own: dict[str, list[load.Sample]], rate: int
) -> dict[str, str | int | float]:
    details: dict[str, str | int | float] = {"requests a second": rate}
    for key, words in WORDS.items():
        details[f"{words}, by k6"] = _written(
            median(one.p50 for one in told[key]),
            median(one.p99 for one in told[key]),
            max(one.longest for one in told[key]),
        )
    for key, words in WORDS.items():
        raw = contest.raw(own[key])
        details[f"{words}, by our own generator"] = _written(
            median(raw["p50_ms"]), median(raw["p99_ms"]), max(raw["longest_ms"])
        )
    everything = [one for some in told.values() for one in some]
    return details | {
        "ratio of p99 by our own generator": _own_ratio(own),
        "what k6 took of a core, at most": f"{max(one.share_of_a_core for one in everything):.0%}",
        **{
            f"requests that k6 could not send when they were due, {words}": sum(
                one.dropped for one in told[key]
            )
            for key, words in WORDS.items()
        },
    }


def _own_ratio(own: dict[str, list[load.Sample]]) -> float:
    pairs = zip(own["sqlite"], own["bare"], strict=True)
    return round(median(mine.percentile(0.99) / bare.percentile(0.99) for mine, bare in pairs), 2)


def _written(p50: float, p99: float, longest: float) -> str:
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, longest {longest:.1f} ms"
