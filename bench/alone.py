"""How long an allocation waits at 10,000 tracked instances, against 10, while no pass runs beside it.

`tracked`, above, is what a caller meets in a busy pool: at three claims a second there is nearly always a
pass under way, in the same process, and a pass over 10,000 takes longer than one over 10. This is the claim
by itself: the same service with its poller off, on SQLite, everything else on, and in the large registry
50,000 more instances that are gone. Ten instances are idle in each of the two pools. In a turn ten new
projects come, fifty a second, in an open model; after it, outside of what is measured, the ten are idle
again. The pools take turns. A round is some turns of each; its ratio is that of the median waits, and the
figure is the median of the rounds.
"""

import itertools
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, select, update

from app.domain.model import InstanceState
from app.registry.database import open_database
from app.registry.schema import allocations, instances
from bench import contest, servers
from bench.claims import claim
from bench.population import at_rest, populate
from bench.servers import Server

SMALL, LARGE = 10, 10_000
IDLE = 10
RATE = 50.0
ROUNDS, QUICK_ROUNDS = 5, 2
TURNS = 5
"""In a round."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool with its service, whose idle instances can be put back."""

    server: Server
    database: Engine
    projects: Iterator[str]

    def take_turn(self) -> list[float]:
        """Have as many projects ask as there are idle instances; return their waits in milliseconds."""
        idle = self._idle()
        claims = claim(self.server.port, self.projects, self.server.headers, count=len(idle), rate=RATE)
        self._put_back(idle)
        return [one.latency * 1000 for one in claims]

    def _idle(self) -> Sequence[str]:
        with self.database.connect() as tx:
            found = select(instances.c.id).where(instances.c.state == InstanceState.IDLE.value)
            return tx.execute(found).scalars().all()

    def _put_back(self, idle: Sequence[str]) -> None:
        with self.database.begin() as tx:
            tx.execute(delete(allocations).where(allocations.c.instance_id.in_(idle)))
            tx.execute(
                update(instances).where(instances.c.id.in_(idle)).values(state=InstanceState.IDLE.value)
            )


def measure(home: Path, now: datetime, *, quick: bool, large: int = LARGE) -> dict[str, Any]:
    """Measure both pools, in turns."""
    with ExitStack() as running:
        small = running.enter_context(_pool(home, "small", SMALL, now))
        big = running.enter_context(_pool(home, "large", large, now))
        for one in (small, big):
            one.take_turn()  # the first answers of a service take long
        rounds = [_round(small, big) for _ in range(QUICK_ROUNDS if quick else ROUNDS)]
    waits = {name: [wait for one in rounds for wait in one[name]] for name in ("small", "large")}
    ratios = [statistics.median(one["large"]) / statistics.median(one["small"]) for one in rounds]
    return {
        "figures": {"alone": contest.figure(ratios)},
        "details": {
            f"{SMALL} instances": _written(waits["small"]),
            f"{large:,} instances": _written(waits["large"]),
            "claims of each": len(waits["small"]),
        },
        "waits_ms": waits,
    }


def _round(small: Pool, big: Pool) -> dict[str, list[float]]:
    waits: dict[str, list[float]] = {"small": [], "large": []}
    for _ in range(TURNS):
        waits["small"] += small.take_turn()
        waits["large"] += big.take_turn()
    return waits


def _written(waits: Sequence[float]) -> str:
    return f"p50 {statistics.median(waits):.2f} ms, longest {max(waits):.1f} ms"


@contextmanager
def _pool(home: Path, name: str, living: int, now: datetime) -> Iterator[Pool]:
    url = f"sqlite:///{home}/{name}.db"
    populate(url, living, now, at_rest(IDLE))
    database = open_database(url)
    try:
        with servers.service(home, url) as server:
            yield Pool(server, database, (f"{name}-{number}" for number in itertools.count()))
    finally:
        database.dispose()
