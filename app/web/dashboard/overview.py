"""All that the dashboard shows at one moment, read from the registry and never from AWS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import ceil
from typing import Generic, TypeVar

from app.domain.events import Event
from app.domain.model import DEFAULT_POOL, Allocation, Instance, PoolName
from app.domain.replicas import GONE, SeenReplica
from app.domain.verdict import Tone, Verdict
from app.ports import ENDED, Catalogue, Clock, History, Lease, Matches, Presence
from app.service.judgement import Judged, Judgement
from app.service.status import PoolStatus, StatusReader
from app.web.dashboard import warnings
from app.web.dashboard.queries import Choice, OverviewQuery
from app.web.dashboard.warnings import Told

Item = TypeVar("Item")

INSTANCES = 50
ALLOCATIONS = 20
EVENTS = 20
"""How many of each stand on one page."""


@dataclass(frozen=True, slots=True)
class Part(Generic[Item]):
    """A part of a list, and where in it."""

    items: Sequence[Item]
    total: int
    number: int
    size: int

    @property
    def last(self) -> int:
        """The number of the last part."""
        return max(1, ceil(self.total / self.size))

    @property
    def first_item(self) -> int:
        """Where its first item stands in the list, counted from 1."""
        return (self.number - 1) * self.size + 1

    @property
    def last_item(self) -> int:
        """Where its last item stands in the list, counted from 1."""
        return self.first_item + len(self.items) - 1


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All that is shown."""

    asked: OverviewQuery
    pools: Sequence[Judged]
    chosen: Judged
    instances: Part[Instance]
    allocations: Part[Allocation]
    events: Sequence[Event]
    replicas: Sequence[SeenReplica]
    leader: Lease | None
    replica: str
    """The process that answers."""
    now: datetime

    @property
    def pool(self) -> PoolStatus:
        """The pool that is shown."""
        return self.chosen.status

    @property
    def verdict(self) -> Verdict:
        """What is to be thought of the pool that is shown."""
        return self.chosen.verdict

    @property
    def looked_through(self) -> int | None:
        """How many instances of a pool were looked through, the newest; None: all."""
        return ENDED if self.asked.state is Choice.TERMINATED else None

    @property
    def several(self) -> bool:
        """Whether there is more than one pool."""
        return len(self.pools) > 1

    @cached_property
    def warnings(self) -> Sequence[Told]:
        """What is wrong with the pool that is shown, and how to mend it."""
        return [warnings.told(notice) for notice in self.pool.view.notices]

    @cached_property
    def elsewhere(self) -> Sequence[Judged]:
        """The other pools that somebody should look at, the worst first."""
        found = [
            one for one in self.pools if one is not self.chosen and one.verdict.tone in {Tone.WARN, Tone.BAD}
        ]
        return sorted(found, key=_gravity, reverse=True)

    @property
    def worst(self) -> Tone:
        """The tone of the pool that is shown, or of another that is worse."""
        return max([self.chosen, *self.elsewhere], key=_gravity).verdict.tone

    @property
    def title(self) -> str:
        """What the window is called: another pool that is worse than the one that is shown comes first."""
        if not self.elsewhere:
            return self.verdict.headline
        others = ", ".join(f"{one.status.config.name} is {one.verdict.condition}" for one in self.elsewhere)
        if self.worst is self.verdict.tone:
            return f"{self.verdict.headline}; {others}"
        return f"{others}; {self.verdict.headline}"


class Overviews:
    """Reads what is shown."""

    def __init__(
        self,
        *,
        status_reader: StatusReader,
        catalogue: Catalogue,
        history: History,
        presence: Presence,
        clock: Clock,
    ) -> None:
        self._status_reader = status_reader
        self._catalogue = catalogue
        self._judgement = Judgement(history=history, catalogue=catalogue)
        self._presence = presence
        self._clock = clock

    def pool_of(self, name: PoolName | None) -> PoolName:
        """Return the pool that is shown where this one is asked for. Raises PoolNotFound."""
        return self._status_reader.known(name or DEFAULT_POOL)

    def read(self, asked: OverviewQuery) -> Overview:
        """Read what was asked for. Raises PoolNotFound, and RegistryUnavailable."""
        name, now = self.pool_of(asked.pool), self._clock.now()
        summary = self._status_reader.summary()
        duty = summary.duty
        pools = self._judgement.of(summary, now)
        (chosen,) = (one for one in pools if one.status.config.name == name)
        among = None if asked.everywhere else name
        choice = asked.state
        return Overview(
            asked=asked,
            pools=pools,
            chosen=chosen,
            instances=_part(
                lambda offset: self._catalogue.find_instances(
                    pool=among,
                    state=None if choice is None else choice.state,
                    held=None if choice is None else choice.held,
                    text=asked.q,
                    offset=offset,
                    limit=INSTANCES,
                ),
                asked.page,
                INSTANCES,
            ),
            allocations=_part(
                lambda offset: self._catalogue.find_allocations(
                    pool=among, text=asked.q, offset=offset, limit=ALLOCATIONS
                ),
                asked.allocations_page,
                ALLOCATIONS,
            ),
            events=self._catalogue.events(limit=EVENTS).items,
            replicas=self._presence.lately(GONE),
            leader=duty.leader,
            replica=duty.replica,
            now=now,
        )


def _gravity(one: Judged) -> int:
    return list(Tone).index(one.verdict.tone)  # declared from the best to the worst


def _part(find: Callable[[int], Matches[Item]], number: int, size: int) -> Part[Item]:
    """Find a part; what is asked for beyond the end is the last one: the list has become shorter."""
    found = find((number - 1) * size)
    if not found.items and found.total:
        number = ceil(found.total / size)
        found = find((number - 1) * size)
    return Part(found.items, found.total, number if found.total else 1, size)
