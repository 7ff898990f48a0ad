"""How all pools stand at one moment."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from app.domain.controls import Controls
from app.domain.counting import Count
from app.domain.model import InstanceId, PoolName, PoolView, ProjectId
from app.ports.leading import Lease
from app.ports.outbox import Backlog


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How well the pools are looked after: a Survey without anything that has to be counted."""

    views: Mapping[PoolName, PoolView]
    """What the last passes learnt; a pool that the registry does not know is left out."""
    leader: Lease | None
    """Whose term is running; None while nobody leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey(Watch):
    """What the registry has of every pool, whatever the settings name, all of it at the same moment."""

    controls: Mapping[PoolName, Controls]
    """What operators said, of the same pools."""
    counts: Mapping[PoolName, Count]
    """The instances of every pool that has any but terminated ones."""
    waiting: Mapping[PoolName, int]
    """How many projects asked in vain a short time ago, and hold nothing yet. Pools that nobody waits for may
    be left out."""
    launches: Mapping[PoolName, Sequence[timedelta]]
    """How long the last launches took until the instance was ready, of every pool that has any measured."""
    backlog: Backlog = field(default_factory=Backlog)
    """What is still to be sent to the webhook, and what was given up."""


class Listed(NamedTuple):
    """One of many instances, to be shown and for nothing else.

    Its times are written as the wire has them, see api.base.iso: to read ten thousand as times, and to write
    those, would take longer than all the rest.
    """

    id: InstanceId
    state: str
    state_since: str
    address: str | None
    port: int | None
    zone: str | None
    launched_at: str | None
    ready_at: str | None
    held: bool
    """Whether somebody keeps it for inspection."""
    project: ProjectId | None
    """Who holds it, or held it last."""
    allocated_at: str | None
    expires_at: str | None
    last_activity_at: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """Instances one by one, and all the figures of the same moment."""

    survey: Survey
    parts: Iterator[Sequence[Listed]]
    """All of them, the oldest state first; only one part is in memory at a time."""


class Census(Protocol):
    """Looks at all pools at once. Each method may raise RegistryUnavailable."""

    def watch(self) -> Watch:
        """Read who leads, and what the last passes learnt; it costs the same however many instances are."""
        ...

    def survey(self, *, now: datetime) -> Survey:
        """Read how all pools stand, as of one moment; it costs as little for many pools as for one."""
        ...

    def listing(self, pool: PoolName, *, now: datetime) -> AbstractContextManager[Listing]:
        """Read how all pools stand, and every instance of one that is not terminated, as of one moment.

        The parts are read as they are taken, within the `with` alone: it is one transaction, so no stranger
        may decide how long it lasts. Taking them may raise RegistryUnavailable, too; those before it were not
        all then.
        """
        ...
