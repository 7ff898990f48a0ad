"""`make soak`: ten minutes of trouble, one table; exit code 1 where an invariant was violated."""

import argparse
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from app.simulator.clock import utc_now
from tests import postgres
from tests.e2e.soak import report
from tests.e2e.soak.engine import Soak, long, short


def main() -> int:
    options = _options()
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    plan = short(seed) if options.minutes == 0 else long(seed, options.minutes)
    _say(f"seed {seed}: SOAK_SEED={seed} repeats the faults, the kills and what the users want")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        url = None
        if options.database == "postgresql":
            server = stack.enter_context(postgres.a_server())
            url = server.replace("postgresql://", "postgresql+psycopg://")
        outcome = Soak(plan, folder, database_url=url, say=_say).run()
    print(report.table(outcome))  # noqa: T201 - a program for people
    print(report.histories(outcome))  # noqa: T201
    return 1 if outcome.verdict.violations or outcome.crash else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="0: the half minute of `make test`")
    parser.add_argument("--seed", type=lambda text: int(text) if text else None, default=None)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    return parser.parse_args()


def _say(line: str) -> None:
    print(f"{utc_now():%H:%M:%S} {line}", flush=True)  # noqa: T201 - a program for people


if __name__ == "__main__":
    sys.exit(main())
