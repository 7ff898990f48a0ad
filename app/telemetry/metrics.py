"""What this service counts and times: the Meter port, by prometheus_client.

Where several processes serve, each counts in files of one folder, and whoever is asked adds them up: see
app/telemetry/folder.py. Otherwise all is kept in this process. prometheus_client decides which, once and for
all, when it is imported.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import cache

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from app.domain.model import EndReason, PoolName
from app.ports import AllocationOutcome, MessageOutcome
from app.telemetry import families, folder
from app.telemetry.families import (
    FAILED,
    FAMILIES,
    FINISHED,
    METHODS,
    OTHER,
    READY,
    SILENT,
    TOLD,
    Family,
    Source,
)


class Metrics:
    """The Meter port. A label is a pool of the settings, or one of a few words: no stranger adds to them."""

    def __init__(self, pools: Collection[PoolName] = (), *, version: str = "unknown") -> None:
        """Take the pools, whose counts stand at 0 from the start: so a rate sees the first one, too."""
        self._version = version
        self._own = CollectorRegistry()
        self._told = False
        # With children cached: to find one by its labels takes the library longer than to count.
        self._allocation_seconds = cache(self._histogram(families.ALLOCATION_SECONDS).labels)
        self._launch_to_ready = cache(self._histogram(families.LAUNCH_TO_READY_SECONDS).labels)
        self._ended = cache(self._counter(families.ALLOCATIONS_ENDED).labels)
        self._passes = cache(self._counter(families.PASSES).labels)
        self._pass_seconds = cache(self._histogram(families.PASS_SECONDS).labels)
        self._aws_calls = cache(self._counter(families.AWS_CALLS).labels)
        self._aws_call_seconds = cache(self._histogram(families.AWS_CALL_SECONDS).labels)
        self._probes = cache(self._counter(families.PROBES).labels)
        self._heartbeats = cache(self._counter(families.HEARTBEATS).labels)
        self._webhook_attempts = cache(self._counter(families.WEBHOOK_ATTEMPTS).labels)
        self._requests = cache(self._counter(families.HTTP_REQUESTS).labels)
        self._request_seconds = cache(self._histogram(families.HTTP_REQUEST_SECONDS).labels)
        self._leader = Gauge(
            families.LEADER.name,
            families.LEADER.meaning,
            registry=self._own,
            multiprocess_mode="livemax",  # what a process that is gone said of itself is over
        )
        for ending in MessageOutcome:
            self._webhook_attempts(ending.value)
        for pool in pools:
            for outcome in AllocationOutcome:
                self._allocation_seconds(pool, outcome.value)
            self._launch_to_ready(pool)
            for reason in families.BY_ITSELF:
                self._ended(pool, reason.value)
            self._pass_seconds(pool)
            for ended in (FINISHED, FAILED):
                self._passes(pool, ended)
            for answer in (READY, SILENT):
                self._probes(pool, answer)
            for answer in (TOLD, SILENT):
                self._heartbeats(pool, answer)

    def allocated(self, pool: PoolName, outcome: AllocationOutcome, took: float) -> None:
        """See Meter.allocated."""
        # Once: how many there were is how many times there are.
        self._allocation_seconds(pool, outcome.value).observe(took)

    def became_ready(self, pool: PoolName, took: float) -> None:
        """See Meter.became_ready."""
        self._launch_to_ready(pool).observe(took)

    def ended(self, pool: PoolName, reason: EndReason) -> None:
        """See Meter.ended."""
        self._ended(pool, reason.value).inc()

    def passed(self, pool: PoolName, *, succeeded: bool, took: float) -> None:
        """See Meter.passed."""
        self._passes(pool, FINISHED if succeeded else FAILED).inc()
        self._pass_seconds(pool).observe(took)

    def aws_answered(self, action: str, outcome: str, took: float) -> None:
        """See Meter.aws_answered."""
        self._aws_calls(action, outcome).inc()
        self._aws_call_seconds(action).observe(took)

    def probed(self, pool: PoolName, *, ready: int, silent: int) -> None:
        """See Meter.probed."""
        self._probes(pool, READY).inc(ready)
        self._probes(pool, SILENT).inc(silent)

    def heard(self, pool: PoolName, *, told: int, silent: int) -> None:
        """See Meter.heard."""
        self._heartbeats(pool, TOLD).inc(told)
        self._heartbeats(pool, SILENT).inc(silent)

    def sent(self, outcome: MessageOutcome) -> None:
        """See Meter.sent."""
        self._webhook_attempts(outcome.value).inc()

    def leads(self, leading: bool) -> None:
        """See Meter.leads."""
        self._leader.set(1 if leading else 0)

    def request_answered(self, method: str, route: str, status: int, took: float) -> None:
        """See Meter.request_answered. A method that HTTP does not know is `other`: anybody may invent one."""
        known = method if method in METHODS else OTHER
        self._requests(known, route, str(status)).inc()
        self._request_seconds(known, route).observe(took)

    def collect(self) -> Iterator[Metric]:
        """Return what was counted by all processes that count together, with every metric, also an empty one.

        With this a Metrics is a Collector of prometheus_client.
        """
        found = {one.name: one.samples for one in self._counted()}
        found[families.ALLOCATIONS.bare_name] = _how_many(found.get(families.ALLOCATION_SECONDS.name, ()))
        for family in FAMILIES:
            if family.source is Source.PROCESS:
                metric = Metric(family.bare_name, family.meaning, family.kind.value)
                # When a count began is nothing that several processes could agree on.
                metric.samples = [
                    one for one in found.get(family.bare_name, ()) if not one.name.endswith("_created")
                ]
                if family is families.BUILD_INFO:
                    metric.add_sample(family.name, {"version": self._version}, 1)
                yield metric

    def _counted(self) -> Iterable[Metric]:
        """Return what all processes counted; where the folder of that was removed, what this one did."""
        if values.ValueClass is values.MutexValue:
            return self._own.collect()
        with suppress(OSError):
            if folder.ours_are_there():
                return folder.collected()
        if not self._told:
            self._told = True
            log = structlog.get_logger()
            log.error("metrics.scattered", folder=os.environ[folder.VARIABLE])  # noqa: TID251 - see there
        return self._own.collect()

    def _counter(self, family: Family) -> Counter:
        return Counter(family.bare_name, family.meaning, family.label_names, registry=self._own)

    def _histogram(self, family: Family) -> Histogram:
        return Histogram(
            family.name, family.meaning, family.label_names, registry=self._own, buckets=family.buckets
        )


def _how_many(times: Iterable[Sample]) -> list[Sample]:
    """Return the count of allocations, which is that of the times that they took."""
    counted = f"{families.ALLOCATION_SECONDS.name}_count"
    return [one._replace(name=families.ALLOCATIONS.name) for one in times if one.name == counted]
