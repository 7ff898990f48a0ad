"""Who is measured against whom, and what their rounds say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench import load
from bench.servers import Server

THREADS = 8
"""Of each worker, by the service's own settings."""
WARM_UP = 1.0


@dataclass(frozen=True)
class Contender:
    """One kind of request, and the servers that share it.

    Each has one worker. Two workers of one gunicorn take their connections from one socket, and it happens
    that one of them takes all; that would be measured as well.
    """

    key: str
    servers: Sequence[Server]
    paths: Iterator[str]
    headers: Mapping[str, str]

    @property
    def ports(self) -> tuple[int, ...]:
        """Where they listen."""
        return tuple(server.port for server in self.servers)

    @property
    def connections(self) -> int:
        """As many as the servers have threads: each always has a request, none queues."""
        return THREADS * len(self.servers)


Samples = dict[str, list[load.Sample]]
"""The rounds of each contender, by its key."""


def rounds(contenders: Sequence[Contender], count: int, seconds: float) -> Samples:
    """Let all take turns, round after round, so that whatever else the machine does hits all alike."""
    samples: Samples = {one.key: [] for one in contenders}
    for one in contenders:
        ask(one, WARM_UP)
    for _ in range(count):
        for one in contenders:
            samples[one.key].append(ask(one, seconds))
    return samples


def ask(one: Contender, seconds: float) -> load.Sample:
    """Ask on all connections, each time again as soon as the answer is there."""
    return load.closed(
        one.ports, one.paths, connections=one.connections, seconds=seconds, headers=one.headers
    )


def rate(samples: Sequence[load.Sample]) -> float:
    """Answers a second, in the median round."""
    return median(sample.rate for sample in samples)


def ratio(one: Sequence[load.Sample], other: Sequence[load.Sample]) -> dict[str, Any]:
    """Compare within each round, then take the median: a round's neighbours saw the same machine."""
    return figure([mine.rate / theirs.rate for mine, theirs in zip(one, other, strict=True)])


def figure(by_round: Sequence[float]) -> dict[str, Any]:
    """Make a figure of what its rounds gave: their median."""
    return {
        "value": round(median(by_round), 4),
        "rounds": [round(value, 4) for value in by_round],
    }


def raw(samples: Sequence[load.Sample]) -> dict[str, Any]:
    """Keep of the rounds what somebody may want to look at."""
    return {
        "per_second": [round(sample.rate, 1) for sample in samples],
        "p50_ms": [milliseconds(sample.percentile(0.50)) for sample in samples],
        "p99_ms": [milliseconds(sample.percentile(0.99)) for sample in samples],
        "longest_ms": [milliseconds(max(sample.latencies)) for sample in samples],
        "generator_share_of_a_core": [
            round(sample.generator_seconds / sample.seconds, 3) for sample in samples
        ],
    }


def milliseconds(seconds: float) -> float:
    """Round to hundredths of a millisecond."""
    return round(seconds * 1000, 2)
