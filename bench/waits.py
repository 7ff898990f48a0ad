"""How long an allocation waits beside a poller at work, and how soon AWS hears of it.

The whole service under gunicorn, one worker, SQLite, the poller on, AWS a process beside it: it answers with
the XML of the simulated cloud, and launches at once what is asked for, so that the pool fills up again while
it is asked. New projects come one by one, each at a moment of its own, in an open model: what one waits
counts from the moment it was due. All contenders take turns, in rounds.

`slow_aws`: 20 projects a second ask a pool of 250 instances, 200 of them idle, in turns with AWS answering in
100 ms and at once; the ratio of the median waits. `tracked`: 3 projects a second ask a pool of 10,000
instances, and in turns one that begins with 10 (and grows with each); the ratio of the median waits. Each
ratio is the median of those of the rounds. `wire`: in the turns of the pool of 10,000, the time from the
moment at which a project asks until SetDesiredCapacity with room for it arrives at AWS: the 99th percentile
of all. The projects come at any moment, also while a pass is under way, and not only to a pool at rest.
"""

import http.client
import itertools
import json
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import servers
from bench.aws import Aws, aws
from bench.claims import Claim, claim, on_the_wire
from bench.population import Shape, at_rest, populate
from bench.servers import Server
from tests.waiting import until

SMALL, LARGE = 10, 10_000
LARGE_IDLE = 50
"""Enough where a pass takes seconds."""
WIDE, WIDE_IDLE = 250, 200
DELAY = 0.1
DELAYED_RATE, TRACKED_RATE = 20.0, 3.0
ROUNDS, QUICK_ROUNDS = 3, 1
REST_WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Turn:
    """How many seconds each contender has in each round."""

    delayed: float = 6.0
    """With AWS slow, and at once."""
    tracked: float = 12.0
    """With few instances, and with many."""


WHOLE, QUICK = Turn(), Turn(delayed=4.0, tracked=8.0)


@dataclass
class Contender:
    """A pool with its service and its AWS, and what its turns gave."""

    server: Server
    cloud: Aws
    buffer: int
    projects: Iterator[str]
    delay: float = 0.0
    turns: list[list[Claim]] = field(default_factory=list)
    wire: list[list[float]] = field(default_factory=list)

    def take_turn(self, count: int, rate: float) -> None:
        """Have so many projects ask, and wait until the pool is as full as before."""
        self.cloud.take(self.delay)
        before = self._desired()
        self.cloud.forget()
        claims = claim(self.server.port, self.projects, self.server.headers, count=count, rate=rate)
        self.cloud.take(0.0)  # what is left to do need not take long
        until(lambda: self._desired() == before + count, within=REST_WITHIN, what="AWS to be told of all")
        self.turns.append(claims)
        self.wire.append(on_the_wire(claims, self.cloud.calls(), before))
        until(lambda: self._counts()["idle"] >= self.buffer, within=REST_WITHIN, what="the pool to be full")

    def p50(self, turns: int = 1) -> list[float]:
        """Return the median wait of each round of so many turns."""
        rounds = [self.turns[start : start + turns] for start in range(0, len(self.turns), turns)]
        return [statistics.median(one.latency for claims in some for one in claims) for some in rounds]

    def waits(self) -> list[float]:
        """Return all of them, in milliseconds."""
        return [one.latency * 1000 for claims in self.turns for one in claims]

    def told(self) -> list[float]:
        """Return after how many seconds AWS heard of each."""
        return [one for waits in self.wire for one in waits]

    def passed_at(self) -> datetime:
        """Return when the last pass was over."""
        return datetime.fromisoformat(self._pool()["lastPassAt"])

    def _desired(self) -> int:
        written = [call.desired for call in self.cloud.calls() if call.desired is not None]
        return written[-1] if written else int(self._pool()["desiredCapacity"])

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = self._pool()["instances"]
        return counts

    def _pool(self) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=REST_WITHIN)
        try:
            connection.request("GET", "/v1/pools/default", headers=dict(self.server.headers))
            pool: dict[str, Any] = json.loads(connection.getresponse().read())
            return pool
        finally:
            connection.close()


def measure(
    home: Path, now: datetime, *, quick: bool, large: int = LARGE, turn: Turn | None = None
) -> dict[str, Any]:
    """Measure all three: the pools take turns, so that whatever else the machine does hits all alike."""
    turn = turn or (QUICK if quick else WHOLE)
    with ExitStack() as running:
        near = running.enter_context(_contender(home, "wide", WIDE, at_rest(WIDE_IDLE), now))
        small = running.enter_context(_contender(home, "small", SMALL, at_rest(SMALL), now))
        big = running.enter_context(_contender(home, "large", large, at_rest(LARGE_IDLE), now))
        far = Contender(near.server, near.cloud, near.buffer, near.projects, DELAY)
        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            for one in (near, far, far, near):  # what grows with each turn is the same for both
                one.take_turn(int(turn.delayed / 2 * DELAYED_RATE), DELAYED_RATE)
            for one in (small, big):
                one.take_turn(int(turn.tracked * TRACKED_RATE), TRACKED_RATE)
    return {
        "figures": {
            "slow_aws": _ratio(far.p50(turns=2), near.p50(turns=2)),
            "tracked": _ratio(big.p50(), small.p50()),
            "wire": {
                "value": round(_p99(big.told()), 3),
                "rounds": [round(_p99(waits), 3) for waits in big.wire],
            },
        },
        "details": {
            **_waits("AWS at once", near),
            **_waits("AWS in 100 ms", far),
            **_waits(f"from {SMALL} instances on", small),
            **_waits(f"{large:,} instances", big),
            "claim to SetDesiredCapacity, median, s": round(statistics.median(big.told()), 3),
            f"the same from {SMALL} instances on, s": round(statistics.median(small.told()), 3),
            f"the same from {SMALL} instances on, p99, s": round(_p99(small.told()), 3),
            "the same with AWS in 100 ms, p99, s": round(_p99(far.told()), 3),
        },
        "waits_ms": {name: _rounded(one) for name, one in _named(near, far, small, big)},
    }


@contextmanager
def _contender(home: Path, name: str, living: int, shape: Shape, now: datetime) -> Iterator[Contender]:
    database = f"sqlite:///{home}/{name}.db"
    populate(database, living, now, shape)
    with aws(home, database) as cloud:
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_POLLER": "on",
            "ORCHESTRATOR_BUFFER": str(shape.idle),
        }
        with servers.service(home, database, settings=settings) as server:
            projects = (f"{name}-{number}" for number in itertools.count())
            one = Contender(server, cloud, shape.idle, projects)
            until(lambda: one.passed_at() > now, within=REST_WITHIN, what="the first pass")
            yield one


def _named(
    near: Contender, far: Contender, small: Contender, big: Contender
) -> Sequence[tuple[str, Contender]]:
    return (("aws at once", near), ("aws in 100 ms", far), ("small", small), ("large", big))


def _rounded(one: Contender) -> list[list[float]]:
    return [[round(wait.latency * 1000, 2) for wait in claims] for claims in one.turns]


def _ratio(waits: Sequence[float], to: Sequence[float]) -> dict[str, Any]:
    """Compare within each round: neighbours saw the same machine."""
    ratios = [round(one / other, 3) for one, other in zip(waits, to, strict=True)]
    return {"value": statistics.median(ratios), "rounds": ratios}


def _waits(name: str, one: Contender) -> dict[str, float]:
    return {
        f"{name}: median, ms": round(statistics.median(one.waits()), 2),
        f"{name}: p99, ms": round(_p99(one.waits()), 2),
    }


def _p99(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(int(0.99 * len(ordered)), len(ordered) - 1)]
