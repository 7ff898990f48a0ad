"""How many instances there are."""

from collections.abc import Mapping
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
