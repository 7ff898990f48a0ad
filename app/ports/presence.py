"""Which replicas there are."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from app.domain.replicas import Replica, SeenReplica


class Presence(Protocol):
    """Knows the replicas that share this registry, by the database's clock alone.

    Each method may raise RegistryUnavailable.
    """

    def note(self, replica: Replica) -> None:
        """Note that a replica is there now, and forget those not seen for an hour."""
        ...

    def forget(self, name: str) -> None:
        """Forget a replica that has ended. Harmless where it is not known."""
        ...

    def lately(self, within: timedelta) -> Sequence[SeenReplica]:
        """Return the replicas seen so short a time ago, the oldest start first."""
        ...
