"""Who is measured against whom, and what their rounds say."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import load

CONNECTIONS = 8
"""For each process, as many as it has threads: each always has a request, none queues."""
CALLERS = 64
"""Connections of the open model: enough for a pause of the server."""
WARM_UP = 1.0


@dataclass(frozen=True)
class Contender:
    """One kind of request, and the processes that share it."""

    name: str
    ports: tuple[int, ...]
    paths: Iterator[str]
    yardstick: "Contender | None" = None
    """The bare route on as many processes."""

    @property
    def processes(self) -> int:
        """How many they are."""
        return len(self.ports)

    @property
    def key(self) -> str:
        """The name among all contenders."""
        return f"{self.name} x{self.processes}"


Samples = dict[str, list[load.Sample]]
"""The rounds of each contender, by its key."""


def rounds(contenders: Sequence[Contender], count: int, seconds: float) -> Samples:
    """Let all take turns, round after round, so that whatever else the machine does hits all alike."""
    samples: Samples = {one.key: [] for one in contenders}
    for number in range(count + 1):
        for one in contenders:
            sample = load.closed(
                one.ports,
                one.paths,
                connections=CONNECTIONS * one.processes,
                seconds=seconds if number else WARM_UP,
            )
            if number:
                samples[one.key].append(sample)
    return samples


def constant(contenders: Sequence[Contender], count: int, seconds: float, rate: float) -> Samples:
    """Let all take turns, with requests that come at a constant rate."""
    samples: Samples = {one.key: [] for one in contenders}
    for _ in range(count):
        for one in contenders:
            sample = load.constant(one.ports, one.paths, connections=CALLERS, seconds=seconds, rate=rate)
            samples[one.key].append(sample)
    return samples


def median_rate(samples: list[load.Sample]) -> float:
    """Answers a second, in the median round."""
    return statistics.median(sample.rate for sample in samples)


def closed_figures(one: Contender, all_samples: Samples) -> dict[str, object]:
    """Say what a contender can do."""
    samples = all_samples[one.key]
    return {
        "request": one.name,
        "processes": one.processes,
        "connections": CONNECTIONS * one.processes,
        "per_second": round(median_rate(samples), 1),
        "per_second_by_round": [round(sample.rate, 1) for sample in samples],
        "ratio_to_bare": _ratio(samples, all_samples[(one.yardstick or one).key]),
        "p50_ms": _ms(statistics.median(sample.percentile(0.50) for sample in samples)),
        "p99_ms": _ms(statistics.median(sample.percentile(0.99) for sample in samples)),
        "max_ms": _ms(max(max(sample.latencies) for sample in samples)),
        "generator_share_of_a_core": round(
            statistics.median(sample.generator_seconds / sample.seconds for sample in samples), 3
        ),
    }


def open_figures(samples: list[load.Sample], rate: float) -> dict[str, object]:
    """Say how long callers waited who came at this rate."""
    whole = sum(samples, load.Sample())
    return {
        "rate_per_second": round(rate, 1),
        "requests": len(whole.latencies),
        "p50_ms": _ms(whole.percentile(0.50)),
        "p99_ms": _ms(whole.percentile(0.99)),
        "max_ms": _ms(max(whole.latencies)),
    }


def _ratio(samples: list[load.Sample], to: list[load.Sample]) -> float:
    """Compare within each round, then take the median: a round's neighbours saw the same machine."""
    pairs = zip(samples, to, strict=True)
    return round(statistics.median(one.rate / other.rate for one, other in pairs), 3)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
