"""The results for a person: one table, and under it what is short, or worse than last time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.figures import Row, rows
from bench.scenarios import SCENARIOS

HEADER = ("figure", "asked", "measured", "rounds", "last time", "change", "verdict")


def show(results: Mapping[str, Any]) -> None:
    """Print them: of all scenarios that were run."""
    ran = results["scenarios"].keys() | results["failed"].keys()
    print(f"\n{where(results)}\n")
    _columns([HEADER, *(_cells(row) for row in rows(results) if row.figure.scenario in ran)])
    for scenario in SCENARIOS:
        if found := results["scenarios"].get(scenario.name):
            print(f"\n{scenario.title}")
            _columns([(f"  {words}", _plain(value)) for words, value in found["details"].items()])
    print()
    for line in conclusions(results):
        print(line)


def where(results: Mapping[str, Any]) -> str:
    """Say when it was measured, and on what."""
    machine = results["machine"]
    return (
        f"{results['measured_at']}: revision {machine.get('revision', 'unknown')}, {machine['cores']} cores "
        f"({machine['processor']}), {machine['system']}, Python {machine['python']}, "
        f"one fsync {machine['fsync_ms']} ms, load average before {machine['load_average'][0]}"
    )


def conclusions(results: Mapping[str, Any]) -> Iterator[str]:
    """Say in words what is short, what is worse than last time, and what failed."""
    all_rows = list(rows(results))
    for row in all_rows:
        if row.short:
            yield f"Short: {plain(row)} is {row.measured}, asked is {row.figure.asked}."
    for row in all_rows:
        if row.worse:
            yield f"Worse than last time: {plain(row)} is {row.measured}, it was {row.last_time}."
    for name, fault in results["failed"].items():
        yield f"Failed: {name}: {fault}"
    if not any(row.short or row.worse for row in all_rows) and not results["failed"]:
        yield "Nothing is short, and nothing is worse than last time."


def plain(row: Row) -> str:
    """Tell the figure's title without the marks of Markdown."""
    return row.figure.title.replace("`", "")


def _cells(row: Row) -> tuple[str, ...]:
    return plain(row), row.figure.asked, row.measured, row.spread, row.last_time, row.change, row.verdict


def _plain(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _columns(lines: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())
