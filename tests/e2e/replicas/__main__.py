"""`python -m tests.e2e.replicas`: a storm, one table; exit code 1 where an invariant was violated."""

import argparse
import secrets
import sys

from app.simulator.clock import utc_now
from tests.e2e.replicas import report
from tests.e2e.replicas.storm import Storm, long, short


def main() -> int:
    options = _options()
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    plan = short(seed) if options.minutes == 0 else long(seed, options.minutes)
    _say(f"seed {seed}")
    outcome = Storm(plan, _say).run()
    print(report.table(outcome))  # noqa: T201 - a program for people
    print(report.histories(outcome))  # noqa: T201
    return 1 if outcome.verdict.violations or outcome.crash else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.replicas", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="0: the minute of `make test`")
    parser.add_argument("--seed", type=lambda text: int(text) if text else None, default=None)
    return parser.parse_args()


def _say(line: str) -> None:
    print(f"{utc_now():%H:%M:%S} {line}", flush=True)  # noqa: T201 - a program for people


if __name__ == "__main__":
    sys.exit(main())
