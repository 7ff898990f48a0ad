"""`make bench`: how fast the service is, next to what is asked of it and to what it was last time.

One table at the end, with a line for each figure that is short, worse than last time by more than the noise,
or could not be measured. A whole run is written to bench/results.json, from which `make docs` writes
docs/reference/performance.md; a part of it, or a quick one, is shown alone. The exit status is not 0 where
something could not be measured.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import figures, machine, scenarios, table
from bench.scenarios import Scenario

HOME = Path("var/bench")
RESULTS = Path("bench/results.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print one table; return the exit status."""
    options = _options(arguments)
    end_when_told()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    before = last_time()
    begin = time.monotonic()
    now = datetime.now(UTC)  # noqa: TID251 - says when it was measured
    where = machine.facts(HOME)
    outcome = scenarios.run(options.only, HOME, now, quick=options.quick, rounds=options.rounds)
    results = {
        "measured_at": now.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - begin),
        "machine": where,
        **vars(outcome),
        "last_time": before,
    }
    if is_whole(options.only, options.rounds, quick=options.quick):
        keep(results)
    table.show(results)
    return 1 if outcome.failed else 0


def end_when_told() -> None:
    """Have SIGTERM, and a terminal that is closed, end the run as Ctrl-C does: with all its servers."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda told, _: sys.exit(128 + told))


def last_time(results: Path = RESULTS) -> dict[str, Any] | None:
    """Read the figures that were there before; None where there are none.

    Of what could not be measured then it is the figure before that: nothing is forgotten by a failure.
    """
    if not results.exists():
        return None
    before = json.loads(results.read_text())
    earlier = (before.get("last_time") or {}).get("figures", {})
    return {"measured_at": before["measured_at"], "figures": {**earlier, **figures.measured(before)}}


def keep(found: Mapping[str, Any], results: Path = RESULTS) -> None:
    """Write a run down in the place of the one before: all of it, or nothing."""
    whole = results.with_suffix(".new")
    whole.write_text(json.dumps(found, indent=2) + "\n")
    whole.replace(results)


def is_whole(chosen: Sequence[Scenario], rounds: int | None, *, quick: bool) -> bool:
    """Whether these figures may stand in the document."""
    return len(chosen) == len(scenarios.SCENARIOS) and rounds is None and not quick


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="KEY", help="these scenarios, or those with these figures"
    )
    parser.add_argument("--rounds", type=int, help="of throughput and of latency")
    parser.add_argument(
        "--quick", action="store_true", help="see that all works: the figures are worth little"
    )
    options = parser.parse_args(arguments)
    try:
        options.only = scenarios.chosen(options.only)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    sys.exit(main())
