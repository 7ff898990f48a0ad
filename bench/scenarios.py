"""What is measured: one module each, which says in its own words what it does, and tells its figures.

A scenario that fails, or takes far too long, costs its own figures alone.
"""

import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from inspect import cleandoc
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import alone, dashboard, latency, passes, start, status, throughput, waits
from bench.figures import FIGURES

LONGEST = 420
"""Seconds after which a scenario counts as stuck."""

Measure = Callable[..., dict[str, Any]]
"""`measure(home, now, *, quick)`: `home` is an empty folder for what it keeps.

Returns `figures`, `{key: {"value", "rounds"}}` by the keys of bench/figures.py, and `details`, by words for
people; what else it returns is kept in bench/results.json. All its processes have ended by then.
"""


@dataclass(frozen=True)
class Scenario:
    """One part of the benchmark."""

    name: str
    title: str
    module: ModuleType
    in_rounds: bool = False
    """Whether it can be told how many rounds to run."""

    @property
    def told(self) -> str:
        """What is run, as its module says it."""
        return cleandoc(self.module.__doc__ or "")

    @property
    def measure(self) -> Measure:
        """What runs it."""
        function: Measure = self.module.measure
        return function


SCENARIOS = (
    Scenario("throughput", "Throughput", throughput, in_rounds=True),
    Scenario("latency", "Latency at half load", latency, in_rounds=True),
    Scenario("waits", "What a caller, and AWS, wait for", waits),
    Scenario("alone", "A claim by itself", alone),
    Scenario("passes", "A pass at rest", passes),
    Scenario("status", "Status", status),
    Scenario("start", "Start and memory", start),
    Scenario("dashboard", "Dashboard", dashboard),
)


@dataclass
class Outcome:
    """What a run gave."""

    scenarios: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """What went wrong, by the scenario's name."""


def chosen(words: Sequence[str]) -> list[Scenario]:
    """Take the scenarios with these names, and those that give figures with these keys; without any, all.

    Raises ValueError for a word that is neither.
    """
    of_figure = {figure.key: figure.scenario for figure in FIGURES}
    names = {scenario.name for scenario in SCENARIOS}
    if unknown := [word for word in words if word not in of_figure and word not in names]:
        raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join([*names, *of_figure])}")
    wanted = {of_figure.get(word, word) for word in words} or names
    return [scenario for scenario in SCENARIOS if scenario.name in wanted]


def run(
    scenarios: Sequence[Scenario],
    home: Path,
    now: datetime,
    *,
    quick: bool,
    rounds: int | None = None,
    longest: int = LONGEST,
) -> Outcome:
    """Run one after the other; what fails is told, and the others are run all the same.

    What one that failed has left, the logs of its servers above all, stays in its folder in `home`.
    """
    outcome = Outcome()
    for one in scenarios:
        _say(f"{one.title} ...")
        start_of_it = time.monotonic()
        folder = home / one.name
        folder.mkdir()
        options = {"rounds": rounds} if one.in_rounds else {}
        try:
            with _at_most(longest):
                outcome.scenarios[one.name] = one.measure(folder, now, quick=quick, **options)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the others are worth having
            traceback.print_exc()
            _say(f"What its servers have logged is in {folder}.")
            outcome.failed[one.name] = f"{type(fault).__name__}: {fault}"
        else:
            shutil.rmtree(folder, ignore_errors=True)
        _say(f"{one.title}: {time.monotonic() - start_of_it:.0f} s")
    return outcome


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the block after so many seconds."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
