"""What can be listed and looked up, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from app.domain.events import Event
from app.domain.model import Allocation, Instance, InstanceId, InstanceState, PoolName, ProjectId

Item = TypeVar("Item")

ENDED = 1000
"""How many of the terminated instances of a pool are looked through for people: those that ended last."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list."""

    items: Sequence[Item]
    more: bool
    """Whether others follow: they come after the last of these."""


@dataclass(frozen=True, slots=True)
class Matches(Generic[Item]):
    """What a search found: a part of it, and how much it is in all."""

    items: Sequence[Item]
    total: int


class Catalogue(Protocol):
    """Reads the registry for people and programs. Each method may raise RegistryUnavailable.

    Pages follow a key that never changes, so what is there throughout a walk is met exactly once.
    """

    def allocations(
        self, *, pool: PoolName | None = None, after: ProjectId | None = None, limit: int
    ) -> Page[Allocation]:
        """Return live allocations by project, from the first one after `after` on."""
        ...

    def allocation(self, project: ProjectId) -> Allocation:
        """Return the project's live allocation, or raise AllocationNotFound."""
        ...

    def instances(
        self,
        *,
        pool: PoolName | None = None,
        state: InstanceState | None = None,
        after: InstanceId | None = None,
        limit: int,
    ) -> Page[Instance]:
        """Return instances by id, from the first one after `after` on; without `state` the terminated not."""
        ...

    def find_instances(
        self,
        *,
        pool: PoolName | None = None,
        state: InstanceState | None = None,
        held: bool | None = None,
        text: str = "",
        offset: int = 0,
        limit: int,
    ) -> Matches[Instance]:
        """Return instances for people to look through: the newest launch first, after `offset` others.

        Without `state` the terminated not; those, asked for, come with the last ended first, and only the
        last ENDED of each pool are among what is found (more, where several ended at the same moment).
        `held` is whether they are on hold. Each word of `text` stands in the id, the project, the address or
        the zone, in large or small letters.
        """
        ...

    def find_allocations(
        self, *, pool: PoolName | None = None, text: str = "", offset: int = 0, limit: int
    ) -> Matches[Allocation]:
        """Return live allocations for people to look through: the newest first, after `offset` others.

        Each word of `text` stands in the project, the instance's id, its address or its zone.
        """
        ...

    def instance(self, instance: InstanceId) -> Instance:
        """Return an instance whatever its state, or raise InstanceNotFound where it was never one of ours."""
        ...

    def was_ever_ready(self, pool: PoolName) -> bool:
        """Say whether the pool ever had an instance that was ready, or that a project held."""
        ...

    def events(
        self,
        *,
        pool: PoolName | None = None,
        project: ProjectId | None = None,
        instance: InstanceId | None = None,
        before: int | None = None,
        limit: int,
    ) -> Page[Event]:
        """Return the audit trail, newest first, from the first one before the event `before` on."""
        ...
