"""Pools, and what is to be thought of each; of what was, only what the judgement depends on is looked up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.history import GRAIN
from app.domain.model import DEFAULT_POOL, InstanceState
from app.domain.verdict import Past, Verdict, judge
from app.ports import Catalogue, History
from app.service.status import PoolStatus, Summary

HANDOVER = 2 * GRAIN
"""How old the newest sample is at most, where somebody led a moment ago.

Who leads takes one in each GRAIN, whatever AWS does. An election takes a second, and a restart a few: that
nobody leads meanwhile is no news.
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """A pool, and what is to be thought of it."""

    status: PoolStatus
    verdict: Verdict


class Judgement:
    """Judges pools by what the registry has of them, now and before."""

    def __init__(self, *, history: History, catalogue: Catalogue) -> None:
        self._history = history
        self._catalogue = catalogue

    def of(self, summary: Summary, now: datetime) -> Sequence[Judged]:
        """Judge every pool. Raises RegistryUnavailable."""
        led = summary.duty.leader is not None or self._was_led(now)
        return [
            Judged(
                one,
                judge(
                    count=one.count,
                    buffer=one.buffer,
                    waiting=one.waiting,
                    view=one.view,
                    controls=one.controls,
                    stale=one.stale,
                    led=led,
                    past=self._past(one),
                    now=now,
                ),
            )
            for one in summary.pools
        ]

    def _was_led(self, now: datetime) -> bool:
        return bool(self._history.since(DEFAULT_POOL, now - HANDOVER, step=GRAIN))

    def _past(self, one: PoolStatus) -> Past:
        name, idle = one.config.name, one.count.of(InstanceState.IDLE)
        if idle >= one.buffer:
            return Past()
        if idle:
            return Past(short_since=self._history.short_since(name))
        return Past(ever_ready=self._catalogue.was_ever_ready(name))
