"""Which replicas there are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from app.domain.replicas import Replica


class Presence(Protocol):
    """Knows the replicas that share this registry. Each method may raise RegistryUnavailable."""

    def note(self, replica: Replica) -> None:
        """Note that a replica is there, and forget those not seen for an hour before that."""
        ...

    def forget(self, name: str) -> None:
        """Forget a replica that has ended. Harmless where it is not known."""
        ...

    def since(self, at: datetime) -> Sequence[Replica]:
        """Return the replicas seen at `at` or later, the oldest start first."""
        ...
