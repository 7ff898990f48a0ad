"""docs/reference/performance.md, made from bench/results.json and from what the scenarios say they do."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.figures import Row, rows
from bench.machine import PACKAGES
from bench.scenarios import SCENARIOS, Scenario
from bench.table import conclusions, where

RESULTS = Path(__file__).with_name("results.json")
HEADER = ("figure", "asked", "measured", "rounds", "last time", "verdict")
KEPT = (
    "SQLite {sqlite[version]} (`journal_mode={sqlite[journal_mode]}`, `synchronous={sqlite[synchronous]}`), "
    "PostgreSQL {postgresql[version]} (`fsync={postgresql[fsync]}`, "
    "`synchronous_commit={postgresql[synchronous_commit]}`)"
)

HOW_TO_READ = """
One run of `make bench` on one machine, which makes the load as well. Its speed is its own; so what is asked
is mostly a ratio of two things that took turns on it, or CPU time. Every figure is written as it was
measured, also where it is short.

To repeat it: `make bench`, on a machine that does nothing else; it needs no root, and brings its own
PostgreSQL. It compares with the `bench/results.json` that is there, says at its end what is short and what is
worse, and then takes its place: `git restore bench/results.json` brings the one before back. A part of it
(`make bench BENCH='--only sqlite_p99'`) is compared as well, and kept nowhere. `make docs` writes this page.

- **measured**: as the scenario says it below: mostly the median of the rounds.
- **rounds**: the lowest and the highest of them.
- **last time**: the run whose results were there before.
- **verdict**: `short` where it is not what is asked for. `worse than last time` where it is worse by more
  than the noise: by more than 5 %, to outside of all that last time's rounds gave, while last time's value is
  outside of all that this time's rounds gave. So a figure whose rounds lie far apart can hide a change as
  large as that; measure on a quiet machine.
"""

NOT_SHOWN = """
## What this does not show

- **Other machines, and a network.** All runs over loopback, on one machine with the database. A disk with
  slower fsync, or a database some milliseconds away, makes each allocation that much slower; several of them
  then share one commit, so throughput suffers less than latency.
- **A real AWS.** Where AWS plays a part, it is the simulated cloud, or its answers, repeated. How long AWS
  takes for an answer changes no claim, as the figure for it tells; how soon a new instance is there is up to
  AWS.
- **Much that changes at once.** At rest AWS says of each instance what it said before, and a pass reads anew
  only what differs. What it costs where everything differs is told by the first pass.
- **Weeks.** A run takes some minutes. What faults and restarts do to it: [soak](../howto/soak.md).
- **What is behind the address.** How fast the editor there is, is not measured.
"""


def page(results: Mapping[str, Any] | None = None) -> str:
    """Write the page; of what `make bench` wrote last, unless it is told other results."""
    results = json.loads(RESULTS.read_text()) if results is None else results
    return "".join(_parts(results))


def _parts(results: Mapping[str, Any]) -> Iterator[str]:
    yield "# Performance\n\n"
    yield f"What `make bench` measured, from `bench/results.json`. {where(results)}"
    if databases := results["scenarios"].get("throughput", {}).get("databases"):
        yield f"; {KEPT.format(**databases)}"
    versions = ", ".join(f"{name} {results['machine'][name]}" for name in PACKAGES)
    yield f"; {versions}. The run took {results['seconds']} s."
    if before := results["last_time"]:
        yield f" Last time was {before['measured_at']}."
    yield "\n\n"
    yield _table(HEADER, [_cells(row) for row in rows(results)])
    yield "\n" + "".join(f"- {line}\n" for line in conclusions(results))
    yield "\n## How to read it\n" + HOW_TO_READ
    for scenario in SCENARIOS:
        yield _section(scenario, results)
    yield NOT_SHOWN


def _section(scenario: Scenario, results: Mapping[str, Any]) -> str:
    text = f"\n## {scenario.title}\n\n{scenario.told}\n"
    found = results["scenarios"].get(scenario.name)
    if found is None:
        return f"{text}\nNot measured: {results['failed'].get(scenario.name, 'it was not run')}.\n"
    details = [(words, _written(value)) for words, value in found["details"].items()]
    return f"{text}\n{_table(('what', 'measured'), details)}" if details else text


def _cells(row: Row) -> tuple[str, ...]:
    return row.figure.title, row.figure.asked, row.measured, row.spread, row.last_time, row.verdict


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _table(header: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    return "".join(
        "| " + " | ".join(cells) + " |\n" for cells in (header, tuple("---" for _ in header), *lines)
    )
