"""What stands at /metrics: what was counted, and how the pools stand, as text for Prometheus."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from prometheus_client import exposition
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from app.domain.model import InstanceState, Limit, PoolName
from app.ports import Delivery
from app.telemetry import families
from app.telemetry.families import FAMILIES, HELD, Family, Source

OPENMETRICS = "application/openmetrics-text"
"""The media type of the newer of two ways to write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """How one pool stands."""

    pool: PoolName
    states: Mapping[InstanceState, int]
    held: int
    buffer: int
    waiting: int
    desired: int | None = None
    """None, as for the next two: not known."""
    min_size: int | None = None
    max_size: int | None = None
    limited_by: Limit | None = None
    warnings: Collection[str] = ()
    """The codes of those that stand."""
    last_pass_age: float | None = None
    """In seconds; None where no pass has succeeded yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the database says."""

    pools: Sequence[PoolFigures]
    term: int | None
    """None while nobody leads."""
    pending: int = 0
    """Messages that are still to be sent to the webhook."""
    dead: int = 0
    """Messages that were given up."""
    oldest_pending: float = 0.0
    """How long ago the oldest of those to be sent was written, in seconds."""


class Written(NamedTuple):
    """What is sent."""

    body: bytes
    media: str


def written(counted: Collector, figures: Figures | None, *, as_openmetrics: bool = False) -> Written:
    """Write what was counted, and the figures; None: the database does not answer."""
    page = _Page([*counted.collect(), *_of_registry(figures)])
    if as_openmetrics:
        text: bytes = openmetrics.generate_latest(page)  # type: ignore[no-untyped-call]
        return Written(text, openmetrics.CONTENT_TYPE_LATEST)
    return Written(exposition.generate_latest(page), exposition.CONTENT_TYPE_PLAIN_0_0_4)


@dataclass(frozen=True, slots=True)
class _Page:
    """A Collector of what is there already."""

    metrics: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        return self.metrics


def _of_registry(figures: Figures | None) -> Iterator[Metric]:
    found = {family.name: Metric(family.name, family.meaning, "gauge") for family in _READ}
    for family, labels, value in _samples(figures):
        found[family.name].add_sample(family.name, labels, value)
    yield from found.values()


_READ = [family for family in FAMILIES if family.source is Source.REGISTRY]

_Sample = tuple[Family, dict[str, str], float]


def _samples(figures: Figures | None) -> Iterator[_Sample]:
    yield families.REGISTRY_UP, {}, 0 if figures is None else 1
    if figures is None:
        return
    if figures.term is not None:
        yield families.LEADERSHIP_TERM, {}, figures.term
    for state, count in ((Delivery.PENDING, figures.pending), (Delivery.DEAD, figures.dead)):
        yield families.WEBHOOK_MESSAGES, {"state": state.value}, count
    yield families.WEBHOOK_OLDEST_SECONDS, {}, figures.oldest_pending
    for pool in figures.pools:
        yield from _samples_of(pool)


def _samples_of(one: PoolFigures) -> Iterator[_Sample]:
    pool: dict[str, str] = {"pool": one.pool}
    for state in InstanceState:
        if state.value in families.STATES:
            yield families.INSTANCES, {**pool, "state": state.value}, one.states.get(state, 0)
    yield families.INSTANCES, {**pool, "state": HELD}, one.held
    yield families.BUFFER, pool, one.buffer
    yield families.BUFFER_DEFICIT, pool, max(0, one.buffer - one.states.get(InstanceState.IDLE, 0))
    yield families.WAITING_PROJECTS, pool, one.waiting
    for family, size in (
        (families.DESIRED_CAPACITY, one.desired),
        (families.MIN_SIZE, one.min_size),
        (families.MAX_SIZE, one.max_size),
    ):
        if size is not None:
            yield family, pool, size
    for limit in Limit:
        yield families.LIMITED, {**pool, "limited_by": limit.value}, 1 if limit is one.limited_by else 0
    for code in sorted(set(one.warnings)):
        yield families.WARNING, {**pool, "code": code}, 1
    age = inf if one.last_pass_age is None else one.last_pass_age
    yield families.LAST_PASS_AGE_SECONDS, pool, age
