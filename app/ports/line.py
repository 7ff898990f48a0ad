"""Who waits for an instance, and in which order: one line for each pool, over all replicas."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NewType, Protocol

from app.domain.model import PoolName, ProjectId

RequestId = NewType("RequestId", str)
"""One request that waits: no other ever has the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a pool's line stands at one moment."""

    ready: int
    """Instances that could be handed out at once."""
    doubtful: int
    """Idle, but none of their probes passed lately: a claim would have to ask them."""
    ahead: Mapping[RequestId, int]
    """How many stand before each of those that were asked about; who has no place any more is missing."""
    served: Collection[RequestId]
    """Those whose project holds an instance by now: a claim returns it."""


class Line(Protocol):
    """The lines of all pools, shared by all replicas and judged by the database's clock.

    A project has one place: its newest request stands there. A place is lost a few seconds after its replica
    last said that somebody still waits, so nobody stands behind a replica that is gone. Each method may raise
    RegistryUnavailable.
    """

    def enter(self, pool: PoolName, project: ProjectId, request: RequestId) -> None:
        """Stand at the end of the pool's line, or where an older request of the project stands in it."""
        ...

    def look(
        self, pool: PoolName, requests: Mapping[RequestId, ProjectId], *, ready_within: timedelta
    ) -> Standing:
        """Tell how the line stands for these, and say that they still wait.

        An instance is ready where a probe of it has passed `ready_within` that time.
        """
        ...

    def leave(self, requests: Collection[RequestId], *, demand: bool) -> None:
        """Give the places up. Without `demand` their projects do not count as waiting any longer, either."""
        ...
