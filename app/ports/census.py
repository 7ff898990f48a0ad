"""How many instances there are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from app.domain.counting import Count
from app.domain.model import PoolName


class Census(Protocol):
    """Counts what the registry has."""

    def count(self) -> Mapping[PoolName, Count]:
        """Count the instances of every pool that has any but terminated ones, whatever the settings name.

        Raises RegistryUnavailable.
        """
        ...

    def waiting(self, *, now: datetime) -> Mapping[PoolName, int]:
        """Count for each pool the projects that asked in vain a short time ago, as Registry.waiting does.

        Pools that nobody waits for may be left out. Raises RegistryUnavailable.
        """
        ...
