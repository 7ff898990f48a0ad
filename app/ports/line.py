"""Who waits for an instance, and in which order: one line for each pool, over all replicas."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType, Protocol

from app.domain.model import PoolName, ProjectId

RequestId = NewType("RequestId", str)
"""One request that waits: no other ever has the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a pool's line stands at one moment."""

    ready: int
    """Instances that could be handed out at once: at most one more than stand in line are counted."""
    doubtful: int
    """Idle, but none of their probes passed lately: a claim would have to ask them. With the ready ones at
    most one more than stand in line, too."""
    ahead: Mapping[RequestId, int]
    """How many stand before each of those that were asked about; who has no place any more is missing."""
    replaced: Collection[RequestId] = ()
    """Those whose project's place another request has by now, in this line or in another."""
    served: Collection[RequestId] = ()
    """Those whose project holds an instance by now: a claim returns it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What tells when there may be an instance of a pool for whom."""

    line: Sequence[ProjectId]
    """Who stands in it, and whose number there is kept: the first first."""
    demand: Collection[ProjectId]
    """These, and who asked in vain lately without standing there; nobody of them holds an instance."""
    ready: int
    """Instances that could be handed out at once, at most one for each of them."""
    booting: Sequence[timedelta]
    """How long ago each instance was launched that is on its way in, and was never ready."""
    measured: Sequence[timedelta]
    """How long the last ones took from their launch until they were ready; empty: none was measured yet."""
    more: bool
    """Whether others will be launched: nothing is known to be in the way."""


class Line(Protocol):
    """The lines of all pools, shared by all replicas and judged by the database's clock.

    A project has one place: its newest request stands there. A place is over a few seconds after its replica
    last said that somebody still waits, so nobody stands behind a replica that is gone; and at once where its
    request waits no longer. Its number is kept then for half a minute, for the project to come back to it:
    the same request, if it still waits, or another, for one that may wait no longer asks again. A claim that
    succeeds ends its project's place, see Registry.claim. Each method may raise RegistryUnavailable.
    """

    def enter(
        self, pool: PoolName, project: ProjectId, request: RequestId, *, yielding: bool = False
    ) -> None:
        """Stand at the end of the pool's line, or where the project stands in it, or did not long ago.

        Its place in another pool's line ends. The `yielding` leave a place of their project, in whichever
        line, to the request that has it, and get none: they had one before, and that one came later.
        """
        ...

    def look(
        self, pool: PoolName, requests: Mapping[RequestId, ProjectId], *, ready_since: datetime
    ) -> Standing:
        """Tell how the line stands for these, and say that they still wait.

        Places of theirs that are over, and still kept, are theirs again by that.

        An instance is ready where a probe of it has passed at `ready_since` or later.
        """
        ...

    def leave(self, requests: Collection[RequestId], *, demand: bool) -> None:
        """Give the places up. With `demand` their numbers are kept for their projects to come back to.

        Without it they are not, and these projects do not count as waiting any longer, either. Whose place
        another request has taken over, or is kept no more, changes nothing.
        """
        ...

    def abandon(self, project: ProjectId, request: RequestId, *, actor: str, now: datetime) -> bool:
        """End the allocation that a claim of this request from its place in line has just made.

        Nobody waits for it any more. False, and no change, where another request has asked for the project's
        instance since, or waits for it: the allocation is that one's.
        """
        ...

    def prospect(self, pool: PoolName, *, ready_since: datetime) -> Prospect:
        """Tell what is to be expected; see `look` for `ready_since`."""
        ...
