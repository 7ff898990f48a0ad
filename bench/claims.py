"""New projects that come one by one, each at a moment of its own, and when AWS was told of each."""

import itertools
import random  # noqa: TID251 - when somebody asks is chance; it has a seed, so that each run is the same
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from selectors import EVENT_READ, SelectSelector

from bench.aws import Call
from bench.load import PATIENCE, Connection

CALLERS = 16
"""Connections: enough for a pause of the service. Who finds none free waits, and that counts."""
CHANCE = random.Random(8)


@dataclass(frozen=True, slots=True)
class Claim:
    """One that was answered with 200."""

    at: float
    """When it was due, by time.perf_counter()."""
    latency: float
    """Seconds from then to the end of its answer."""


def moments(count: int, rate: float) -> Iterator[float]:
    """Tell after how many seconds each of so many projects asks: one in each stretch of time, anywhere in it.

    So they keep no step with the passes, and yet never come in bursts.
    """
    return ((number + CHANCE.random()) / rate for number in range(count))


def claim(
    port: int, projects: Iterator[str], headers: Mapping[str, str], *, count: int, rate: float
) -> list[Claim]:
    """Have so many projects ask, whatever the service does; return them in the order in which they came."""
    with ExitStack() as open_ones, closing(SelectSelector()) as selector:
        free = deque(Connection(port, headers) for _ in range(CALLERS))
        for connection in free:
            open_ones.callback(connection.socket.close)
            selector.register(connection.socket, EVENT_READ, connection)
        start = time.perf_counter()
        dues = deque(start + moment for moment in moments(count, rate))
        asked: dict[Connection, float] = {}
        claims: list[Claim] = []
        while dues or asked:
            now = time.perf_counter()
            while dues and free and dues[0] <= now:
                connection = free.popleft()
                asked[connection] = dues.popleft()
                connection.ask(next(projects), asked[connection])
            pause = max(dues[0] - now, 0.0) if dues and free else PATIENCE
            ready = selector.select(pause)
            if not ready and pause >= PATIENCE:
                raise TimeoutError(f"no answer within {PATIENCE} s")
            for key, _ in ready:
                latency = key.data.answered()
                if latency is not None:
                    claims.append(Claim(asked.pop(key.data), latency))
                    free.append(key.data)
    return sorted(claims, key=lambda one: one.at)


def on_the_wire(claims: Sequence[Claim], calls: Sequence[Call], before: int) -> list[float]:
    """Tell after how many seconds AWS got a desired capacity that has room for each claim, and all before it.

    It was `before` when the first of them came, and each makes it one more. Raises RuntimeError where that
    never came. The clocks must be one: time.monotonic() and time.perf_counter() are, on Linux and on macOS.
    """
    raises = [(call.at, call.desired) for call in calls if call.desired is not None]
    waits = []
    for claimed, needed in zip(claims, itertools.count(before + 1), strict=False):
        at = next((at for at, desired in raises if desired >= needed), None)
        if at is None:
            raise RuntimeError(f"AWS was never told of a desired capacity of {needed}")
        waits.append(max(at - claimed.at, 0.0))
    return waits
