"""What the benchmark says of its figures: enough or short, and worse than last time or within the noise."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bench import page, table
from bench.figures import FIGURES, Figure, Row, Sense, rows
from bench.machine import PACKAGES
from bench.scenarios import SCENARIOS

RATIO = Figure("ratio", "throughput", "A ratio", "", Sense.AT_LEAST, 0.6)
WAIT = Figure("wait", "latency", "A wait", " ms", Sense.UNDER, 150)


def measured(*rounds: float) -> dict[str, Any]:
    return {"value": sorted(rounds)[len(rounds) // 2], "rounds": list(rounds)}


def results(figures: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "measured_at": "2026-01-01T00:00:00+00:00",
        "seconds": 300,
        "machine": {
            "cores": 2,
            "processor": "one of these",
            "system": "Linux",
            "python": "3.11",
            "fsync_ms": 0.2,
            "load_average": [0.1, 0.1, 0.1],
            **dict.fromkeys(PACKAGES, "1.0"),
        },
        "scenarios": {"throughput": {"figures": figures, "details": {"the bare route": 2_800.5}}},
        "failed": {},
        "last_time": None,
        **changes,
    }


@pytest.mark.parametrize(
    ("sense", "value", "holds"),
    [
        (Sense.AT_LEAST, 0.6, True),
        (Sense.AT_LEAST, 0.59, False),
        (Sense.AT_MOST, 0.6, True),
        (Sense.AT_MOST, 0.61, False),
        (Sense.UNDER, 0.59, True),
        (Sense.UNDER, 0.6, False),
    ],
)
def test_a_figure_knows_what_is_enough(sense: Sense, value: float, holds: bool) -> None:
    assert Figure("key", "throughput", "Title", "", sense, 0.6).holds(value) is holds


def test_what_is_short_is_called_so() -> None:
    assert Row(RATIO, measured(0.4), None).verdict == "short"


def test_what_was_not_measured_is_not_called_short() -> None:
    row = Row(RATIO, None, measured(0.7))

    assert (row.verdict, row.measured, row.short, row.worse) == ("not measured", "not measured", False, False)


@pytest.mark.parametrize(
    ("figure", "now", "before"),
    [
        (RATIO, measured(0.5, 0.52, 0.51), measured(0.7, 0.72, 0.74)),
        (WAIT, measured(20, 21, 22), measured(10, 11, 12)),
    ],
)
def test_worse_is_what_all_rounds_say(figure: Figure, now: Any, before: Any) -> None:
    assert Row(figure, now, before).worse
    assert not Row(figure, before, now).worse


def test_a_change_within_what_last_times_rounds_gave_is_noise() -> None:
    assert not Row(RATIO, measured(0.6, 0.6, 0.6), measured(0.5, 0.7, 0.8)).worse


def test_a_change_within_what_this_times_rounds_gave_is_noise() -> None:
    assert not Row(RATIO, measured(0.4, 0.6, 0.9), measured(0.7, 0.7, 0.7)).worse


def test_a_small_change_of_steady_rounds_is_none() -> None:
    assert not Row(WAIT, measured(104), measured(100)).worse
    assert Row(WAIT, measured(106), measured(100)).worse


def test_every_figure_is_given_by_a_scenario_that_there_is() -> None:
    assert {figure.scenario for figure in FIGURES} == {scenario.name for scenario in SCENARIOS}


def test_every_scenario_says_what_it_does() -> None:
    assert [scenario.name for scenario in SCENARIOS if scenario.told.count("\n") < 4] == []


def test_a_run_is_compared_with_the_one_before() -> None:
    before = {"measured_at": "2025-12-31", "figures": {"sqlite_throughput": measured(0.8)}}
    run = results({"sqlite_throughput": measured(0.6)}, last_time=before)

    (row,) = (row for row in rows(run) if row.figure.key == "sqlite_throughput")

    assert (row.last_time, row.change, row.verdict) == ("0.80", "-25%", "worse than last time")


def test_the_table_says_at_its_end_what_is_short_what_is_worse_and_what_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {"measured_at": "2025-12-31", "figures": {"postgresql_throughput": measured(0.9)}}
    figures = {"sqlite_throughput": measured(0.1), "postgresql_throughput": measured(0.5)}

    table.show(results(figures, last_time=before, failed={"waits": "RuntimeError: no answer"}))

    short, worse, failed = capsys.readouterr().out.splitlines()[-3:]
    assert short.startswith("Short: Durable allocations a second, SQLite")
    assert worse.startswith("Worse than last time: Durable allocations a second, PostgreSQL")
    assert failed == "Failed: waits: RuntimeError: no answer"


def test_the_table_says_so_when_all_is_well() -> None:
    everything = {figure.key: measured(figure.limit) for figure in FIGURES}
    under = {figure.key: measured(0.1) for figure in FIGURES if figure.sense is Sense.UNDER}

    assert list(table.conclusions(results(everything | under))) == [
        "Nothing is short, and nothing is worse than last time."
    ]


def test_the_page_tells_every_figure_and_every_scenario() -> None:
    text = page.page(results({"sqlite_throughput": measured(0.5, 0.51, 0.52)}))

    assert [figure.title for figure in FIGURES if f"| {figure.title} |" not in text] == []
    assert [scenario.title for scenario in SCENARIOS if f"## {scenario.title}\n" not in text] == []
    assert "| at least 0.6 | 0.51 | 0.50 to 0.52 | - | short |" in text
    assert "| the bare route | 2,800.5 |" in text


def test_the_page_tells_why_a_scenario_was_not_measured() -> None:
    assert "Not measured: OSError: no." in page.page(results({}, failed={"start": "OSError: no"}))


def test_the_results_that_are_kept_have_the_form_that_the_page_reads() -> None:
    kept = json.loads(page.RESULTS.read_text())

    assert {"measured_at", "machine", "scenarios", "failed", "last_time"} <= kept.keys()
