"""What comes to its end when its time is over: allocations, confirmations that do not come, holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.model import InstanceId, PoolName


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is due in a pool, by the database's clock."""

    now: datetime
    holds: Sequence[InstanceId] = ()
    """Whose hold is over."""
    announcements: Sequence[InstanceId] = ()
    """Whose time limit is near, and that has not been announced."""
    expired: Sequence[InstanceId] = ()
    """Whose time limit is over."""
    unconfirmed: Sequence[InstanceId] = ()
    """Whose allocation should have been confirmed by now."""


class Lifetimes(Protocol):
    """Ends what is due, each under the lock of its instance and by the database's clock at that moment.

    So whoever renews, confirms or holds in the same moment either comes first, and it goes on, or is told
    that it is over. Each method may raise RegistryUnavailable.
    """

    def due(self, pool: PoolName) -> Due:
        """Tell what is due. Cheap: it is asked every second. What is on hold is due for nothing else."""
        ...

    def end_hold(self, instance: InstanceId) -> bool:
        """End a hold whose time is over. False, and no change, where it was prolonged or is over."""
        ...

    def announce(self, instance: InstanceId) -> bool:
        """Record once that the allocation's time limit is near. False where it was renewed, or is over."""
        ...

    def expire(self, instance: InstanceId) -> bool:
        """End an allocation whose time is over, and its instance.

        False, and no change, where it was renewed, is held, or ended meanwhile, or the pool is paused by now.
        """
        ...

    def end_unconfirmed(self, instance: InstanceId) -> bool:
        """End an allocation that was to be confirmed by now, and its instance; False as with `expire`."""
        ...
