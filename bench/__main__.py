"""`make bench`: how many durable allocations a second, next to the least that the same stack can do.

Three kinds of requests take turns, round after round, so that whatever else the machine does hits all alike:
a bare Flask route, a project that asks again, and a new project, whose allocation is on disk when it is told.
Then new projects come at a constant rate, half of what was possible, and the time each waits is measured.
"""

import argparse
import itertools
import json
import shutil
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import load, machine, servers

HOME = Path("var/bench")
RESULTS = Path("bench/results.json")
CONNECTIONS = 8
"""As many as the service has threads: each always has a request, none queues."""
CALLERS = 64
"""Connections of the open model: enough for a pause of the server."""
MOST_A_SECOND = 4_000
"""No machine is expected to allocate faster: so many idle instances are prepared for each second."""
WARM_UP = 1.0


@dataclass(frozen=True)
class Contender:
    """One kind of request, and the server it goes to."""

    name: str
    port: int
    paths: Iterator[str]


def main() -> None:
    """Measure, print one table, and write bench/results.json."""
    options = _options()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    database = HOME / "registry.db"
    now = datetime.now(UTC)  # noqa: TID251 - says when it was measured
    where = machine.facts(HOME)
    seconds = options.rounds * options.seconds + options.open_seconds + 2 * WARM_UP
    kept = servers.fill(database, int(seconds * MOST_A_SECOND), now)
    bare, ours = servers.free_port(), servers.free_port()
    with servers.yardstick(bare), servers.service(ours, database):
        fresh = (f"project-{number}" for number in itertools.count())
        contenders = (
            Contender("bare Flask route", bare, itertools.repeat("project-0")),
            Contender("new project (durable)", ours, fresh),
            Contender("same project again", ours, itertools.repeat("project-0")),
        )
        samples = _rounds(contenders, options.rounds, options.seconds)
        rate = _median_rate(samples[contenders[1].name]) / 2
        waits = load.constant(ours, fresh, connections=CALLERS, seconds=options.open_seconds, rate=rate)
    shutil.rmtree(HOME)
    results = {
        "measured_at": now.isoformat(timespec="seconds"),
        "command": "python -m bench",
        "rounds": options.rounds,
        "seconds_a_round": options.seconds,
        "connections": CONNECTIONS,
        "machine": where,
        "database": kept,
        "closed_loop": {name: _closed_figures(of) for name, of in samples.items()},
        "ratio_new_to_bare": _ratio(samples, contenders[1].name, contenders[0].name),
        "open_model_new_project": _open_figures(waits, rate),
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    _print(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each kind of request in each round")
    parser.add_argument("--open-seconds", type=float, default=10.0, help="of requests at a constant rate")
    return parser.parse_args()


def _rounds(contenders: tuple[Contender, ...], rounds: int, seconds: float) -> dict[str, list[load.Sample]]:
    samples: dict[str, list[load.Sample]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        for one in contenders:
            length = seconds if number else WARM_UP
            sample = load.closed(one.port, one.paths, connections=CONNECTIONS, seconds=length)
            if number:
                samples[one.name].append(sample)
    return samples


def _median_rate(samples: list[load.Sample]) -> float:
    return statistics.median(sample.rate for sample in samples)


def _ratio(samples: dict[str, list[load.Sample]], name: str, to: str) -> float:
    """Compare within each round, then take the median: a round's neighbours saw the same machine."""
    pairs = zip(samples[name], samples[to], strict=True)
    return round(statistics.median(one.rate / other.rate for one, other in pairs), 3)


def _closed_figures(samples: list[load.Sample]) -> dict[str, object]:
    rates = [round(sample.rate, 1) for sample in samples]
    return {
        "per_second": round(_median_rate(samples), 1),
        "per_second_by_round": rates,
        "p50_ms": _ms(statistics.median(sample.percentile(0.50) for sample in samples)),
        "p99_ms": _ms(statistics.median(sample.percentile(0.99) for sample in samples)),
        "generator_share_of_a_core": round(
            statistics.median(sample.generator_seconds / sample.seconds for sample in samples), 3
        ),
    }


def _open_figures(sample: load.Sample, rate: float) -> dict[str, float]:
    return {
        "rate_per_second": round(rate, 1),
        "requests": len(sample.latencies),
        "p50_ms": _ms(sample.percentile(0.50)),
        "p99_ms": _ms(sample.percentile(0.99)),
        "max_ms": _ms(max(sample.latencies)),
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _print(results: dict[str, Any]) -> None:
    where, kept, opened = results["machine"], results["database"], results["open_model_new_project"]
    print(f"{results['measured_at']}  {where['system']}, {where['cores']} cores, Python {where['python']}")
    print(
        f"SQLite {where['sqlite']} ({kept['journal_mode']}, synchronous={kept['synchronous']}), "
        f"one fsync {where['fsync_ms']} ms; load average {where['load_average'][0]}"
    )
    print(
        f"gunicorn {where['gunicorn']}, 1 x 8 threads; {results['connections']} connections, closed loop; "
        f"median of {results['rounds']} rounds of {results['seconds_a_round']:g} s\n"
    )
    print(f"{'GET /<project>':<24}{'per second':>12}{'lowest':>9}{'highest':>9}{'p50 ms':>9}{'p99 ms':>9}")
    for name, row in results["closed_loop"].items():
        rates = row["per_second_by_round"]
        print(
            f"{name:<24}{row['per_second']:>12.0f}{min(rates):>9.0f}{max(rates):>9.0f}"
            f"{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}"
        )
    print(f"\nA new project costs {1 / results['ratio_new_to_bare']:.2f} bare routes.")
    print(
        f"New projects at {opened['rate_per_second']:.0f} a second ({opened['requests']} requests): "
        f"p50 {opened['p50_ms']:.2f} ms, p99 {opened['p99_ms']:.2f} ms, longest {opened['max_ms']:.1f} ms."
    )


if __name__ == "__main__":
    main()
