"""The figures: what is asked of each, what was measured, and whether that is enough, or worse than it was."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

NOISE = 0.05
"""A change of less is none, however steady the rounds were: two runs find two machines."""


class Sense(StrEnum):
    """Which way a figure may miss its limit."""

    AT_LEAST = "at least"
    AT_MOST = "at most"
    UNDER = "under"


@dataclass(frozen=True)
class Figure:
    """One figure of the table."""

    key: str
    scenario: str
    """Who measures it: a name of bench/scenarios.py."""
    title: str
    unit: str
    """Written behind the number: a ratio has none."""
    sense: Sense
    limit: float
    digits: int = 2

    def holds(self, value: float) -> bool:
        """Whether this value is what is asked for."""
        if self.sense is Sense.AT_LEAST:
            return value >= self.limit
        return value < self.limit if self.sense is Sense.UNDER else value <= self.limit

    def written(self, value: float) -> str:
        """Write a value for a person."""
        return f"{value:,.{self.digits}f}{self.unit}"

    @property
    def asked(self) -> str:
        """Write the limit for a person."""
        return f"{self.sense} {self.limit:g}{self.unit}"


FIGURES = (
    Figure(
        "sqlite_throughput",
        "throughput",
        "Durable allocations a second, SQLite, one worker of 8 threads, to bare Flask",
        "",
        Sense.AT_LEAST,
        0.6,
    ),
    Figure("sqlite_p99", "latency", "p99 of the same at half load, to bare Flask", " x", Sense.AT_MOST, 2.5),
    Figure(
        "postgresql_throughput",
        "throughput",
        "Durable allocations a second, PostgreSQL, two workers, to bare Flask with two",
        "",
        Sense.AT_LEAST,
        0.35,
    ),
    Figure(
        "slow_aws",
        "waits",
        "Latency with AWS answering in 100 ms, to AWS answering at once",
        " x",
        Sense.AT_MOST,
        1.1,
    ),
    Figure(
        "tracked",
        "waits",
        "Latency at 10,000 tracked instances, to 10, beside a poller at work",
        " x",
        Sense.AT_MOST,
        1.3,
    ),
    Figure("alone", "alone", "The same, without a pass beside it", " x", Sense.AT_MOST, 1.3),
    Figure(
        "status_cpu", "status", "`GET /status` at 10,000 instances: CPU", " ms", Sense.UNDER, 150, digits=0
    ),
    Figure("pass_calls", "passes", "A pass at rest over 10,000: AWS calls", "", Sense.AT_MOST, 1, digits=0),
    Figure("sweep_calls", "passes", "The same, a full sweep: AWS calls", "", Sense.AT_MOST, 12, digits=0),
    Figure("pass_cpu", "passes", "A pass at rest over 10,000: CPU", " s", Sense.UNDER, 0.5, digits=3),
    Figure(
        "wire", "waits", "From claim to SetDesiredCapacity on the wire: p99", " s", Sense.UNDER, 0.5, digits=3
    ),
    Figure("start", "start", "Start to the first served request, with 10,000", " s", Sense.UNDER, 3),
    Figure("memory", "start", "Memory of one worker at 10,000", " MB", Sense.UNDER, 150, digits=0),
    Figure(
        "viewer",
        "dashboard",
        "A viewer of the dashboard at 2,000, of one core",
        " %",
        Sense.UNDER,
        2,
    ),
    Figure(
        "queue_table",
        "throughput",
        "Allocations a second on PostgreSQL, to a queue table there, both two workers",
        "",
        Sense.AT_LEAST,
        1,
    ),
    Figure(
        "asking_aws",
        "throughput",
        "Allocations a second on PostgreSQL, to asking AWS in each request, both two workers",
        "",
        Sense.AT_LEAST,
        1,
        digits=1,
    ),
)

Measured = Mapping[str, Any]
"""`value`, and what it was in each of the `rounds`."""


@dataclass(frozen=True)
class Row:
    """What a run says about one figure."""

    figure: Figure
    now: Measured | None
    before: Measured | None

    @property
    def measured(self) -> str:
        """The value, with what its rounds gave."""
        return "not measured" if self.now is None else self.figure.written(self.now["value"])

    @property
    def spread(self) -> str:
        """The lowest and the highest round."""
        rounds = self.now["rounds"] if self.now else ()
        if len(rounds) < 2:  # noqa: PLR2004 - one alone is the value itself
            return "-"
        return f"{self.figure.written(min(rounds))} to {self.figure.written(max(rounds))}"

    @property
    def last_time(self) -> str:
        """The value of the run before."""
        return "-" if self.before is None else self.figure.written(self.before["value"])

    @property
    def change(self) -> str:
        """By how much the value has changed, of the last one."""
        return f"{self._changed:+.0%}" if self.now and self.before and self.before["value"] else "-"

    @property
    def short(self) -> bool:
        """Whether it was measured, and is not what is asked for."""
        return self.now is not None and not self.figure.holds(self.now["value"])

    @property
    def worse(self) -> bool:
        """Whether it is worse than last time by more than the noise.

        That is: by more than a twentieth, to outside of all that last time's rounds gave, while last time's
        value is outside of all that this time's rounds gave.
        """
        if not (self.now and self.before and self.before["value"]):
            return False
        lost = -self._changed if self.figure.sense is Sense.AT_LEAST else self._changed
        return lost > NOISE and _outside(self.now, self.before) and _outside(self.before, self.now)

    @property
    def verdict(self) -> str:
        """All of it in a word or two."""
        if self.now is None:
            return "not measured"
        words = ["short"] * self.short + ["worse than last time"] * self.worse
        return ", ".join(words) or "ok"

    @property
    def _changed(self) -> float:
        change: float = self.now["value"] / self.before["value"] - 1 if self.now and self.before else 0.0
        return change


def rows(results: Mapping[str, Any]) -> Iterator[Row]:
    """Read the figures of a run, and of the one before it."""
    now = measured(results)
    before = (results.get("last_time") or {}).get("figures", {})
    for figure in FIGURES:
        yield Row(figure, now.get(figure.key), before.get(figure.key))


def measured(results: Mapping[str, Any]) -> dict[str, Measured]:
    """Gather what the scenarios of a run gave."""
    return {
        key: value
        for scenario in results.get("scenarios", {}).values()
        for key, value in scenario["figures"].items()
    }


def _outside(one: Measured, other: Measured) -> bool:
    return not min(other["rounds"]) <= one["value"] <= max(other["rounds"])
