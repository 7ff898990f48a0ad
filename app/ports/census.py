"""How all pools stand at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from app.domain.controls import Controls
from app.domain.counting import Count
from app.domain.model import PoolName, PoolView
from app.ports.leading import Lease
from app.ports.outbox import Backlog


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the registry has of every pool, whatever the settings name, all of it at the same moment."""

    views: Mapping[PoolName, PoolView]
    """What the last passes learnt; a pool that the registry does not know is left out."""
    controls: Mapping[PoolName, Controls]
    """What operators said, of the same pools."""
    counts: Mapping[PoolName, Count]
    """The instances of every pool that has any but terminated ones."""
    waiting: Mapping[PoolName, int]
    """How many projects asked in vain a short time ago, and hold nothing yet. Pools that nobody waits for may
    be left out."""
    launches: Mapping[PoolName, Sequence[timedelta]]
    """How long the last launches took until the instance was ready, of every pool that has any measured."""
    leader: Lease | None
    """Whose term is running; None while nobody leads."""
    backlog: Backlog = field(default_factory=Backlog)
    """What is still to be sent to the webhook, and what was given up."""


class Census(Protocol):
    """Looks at all pools at once."""

    def survey(self, *, now: datetime) -> Survey:
        """Read how all pools stand, as of one moment; it costs as little for many pools as for one.

        Raises RegistryUnavailable.
        """
        ...
