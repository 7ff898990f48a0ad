"""A run of the benchmark: what fails costs its own figures alone, and every process is ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench import __main__ as run_of_bench
from bench import scenarios, servers
from bench.scenarios import SCENARIOS, Scenario
from tests.builders import NOW
from tests.waiting import until


def a_scenario(name: str, measure: Any) -> Scenario:
    module = ModuleType(name, "What it does.")
    module.measure = measure  # type: ignore[attr-defined]
    return Scenario(name, name.title(), module)


def fails(_home: Path, _now: datetime, *, quick: bool) -> dict[str, Any]:
    raise OSError("no disk")


def works(home: Path, _now: datetime, *, quick: bool) -> dict[str, Any]:
    return {"figures": {}, "details": {"folder": home.name, "quick": quick}}


def test_a_scenario_that_fails_costs_its_own_figures_alone(tmp_path: Path) -> None:
    outcome = scenarios.run([a_scenario("bad", fails), a_scenario("good", works)], tmp_path, NOW, quick=True)

    assert outcome.failed == {"bad": "OSError: no disk"}
    assert outcome.scenarios == {"good": {"figures": {}, "details": {"folder": "good", "quick": True}}}


def test_a_scenario_that_is_stuck_is_given_up(tmp_path: Path) -> None:
    def stuck(_home: Path, _now: datetime, *, quick: bool) -> dict[str, Any]:
        return {"never": os.read(reads, 1)}

    reads, writes = os.pipe()

    outcome = scenarios.run([a_scenario("stuck", stuck)], tmp_path, NOW, quick=True, longest=1)

    os.close(reads)
    os.close(writes)
    assert outcome.failed == {"stuck": "TimeoutError: not done within 1 s"}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], [scenario.name for scenario in SCENARIOS]),
        (["latency"], ["latency"]),
        (["sqlite_p99", "pass_cpu", "pass_calls"], ["latency", "passes"]),
    ],
)
def test_scenarios_are_chosen_by_their_names_and_by_their_figures(words: list[str], names: list[str]) -> None:
    assert [scenario.name for scenario in scenarios.chosen(words)] == names


def test_a_word_that_is_neither_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown: speed"):
        scenarios.chosen(["latency", "speed"])


def test_only_a_whole_run_is_kept() -> None:
    assert run_of_bench.is_whole(SCENARIOS, None, quick=False)
    assert not run_of_bench.is_whole(SCENARIOS, None, quick=True)
    assert not run_of_bench.is_whole(SCENARIOS, 1, quick=False)
    assert not run_of_bench.is_whole(SCENARIOS[1:], None, quick=False)


def test_the_first_run_has_nothing_to_compare_with(tmp_path: Path) -> None:
    assert run_of_bench.last_time(tmp_path / "none.json") is None


def test_the_figures_of_last_time_are_remembered(tmp_path: Path) -> None:
    figure = {"value": 0.6, "rounds": [0.6]}
    before = {
        "measured_at": "yesterday",
        "scenarios": {"throughput": {"figures": {"sqlite_throughput": figure}}},
    }
    (tmp_path / "results.json").write_text(json.dumps(before))

    assert run_of_bench.last_time(tmp_path / "results.json") == {
        "measured_at": "yesterday",
        "figures": {"sqlite_throughput": figure},
    }


def test_what_could_not_be_measured_last_time_is_compared_with_the_run_before_that(tmp_path: Path) -> None:
    old, new = {"value": 0.6, "rounds": [0.6]}, {"value": 0.7, "rounds": [0.7]}
    before = {
        "measured_at": "yesterday",
        "scenarios": {"latency": {"figures": {"sqlite_p99": new}}},
        "failed": {"throughput": "OSError: no disk"},
        "last_time": {"measured_at": "long ago", "figures": {"sqlite_throughput": old, "sqlite_p99": old}},
    }
    run_of_bench.keep(before, tmp_path / "results.json")

    found = run_of_bench.last_time(tmp_path / "results.json")

    assert found is not None
    assert found["figures"] == {"sqlite_throughput": old, "sqlite_p99": new}


def test_a_run_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    run_of_bench.keep({"measured_at": "yesterday"}, tmp_path / "results.json")
    (tmp_path / "results.new").mkdir()

    with pytest.raises(OSError, match="directory"):
        run_of_bench.keep({"measured_at": "today"}, tmp_path / "results.json")

    assert json.loads((tmp_path / "results.json").read_text()) == {"measured_at": "yesterday"}


@contextmanager
def a_server() -> Iterator[int]:
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    with servers.process(command, env={}, stdout=subprocess.DEVNULL) as running:
        yield running.pid


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_ended_when_its_scenario_fails(tmp_path: Path) -> None:
    started = []

    def falls_over(_home: Path, _now: datetime, *, quick: bool) -> dict[str, Any]:
        with a_server() as process:
            started.append(process)
            raise OSError

    scenarios.run([a_scenario("one", falls_over)], tmp_path, NOW, quick=True)

    assert [process for process in started if is_there(process)] == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_its_servers_are_ended_when_the_run_is_ended(how: signal.Signals) -> None:
    program = (
        "import signal, subprocess, sys, time\n"
        "from bench import __main__, servers\n"
        "command = (sys.executable, '-c', 'import time; time.sleep(600)')\n"
        f"signal.signal({how.value}, signal.SIG_DFL)  # whatever the tests themselves were started with\n"
        "__main__.end_when_told()\n"
        "with servers.process(command, env={}, stdout=subprocess.DEVNULL) as running:\n"
        "    print(running.pid, flush=True)\n"
        "    while True:\n"
        "        time.sleep(0.1)  # signal.pause() would miss a signal that comes a moment before it\n"
    )
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert run.stdout
    with run.stdout as output:
        process = int(output.readline())
        run.send_signal(how)
        run.wait(timeout=60)

    until(lambda: not is_there(process), what="its server to end")
