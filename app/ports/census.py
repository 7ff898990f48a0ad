"""How many instances there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.domain.model import InstanceState, PoolName


@dataclass(frozen=True, slots=True)
class Count:
    """The instances of one pool."""

    states: Mapping[InstanceState, int] = field(default_factory=dict)
    """How many are in each state but terminated; states in which none is may be left out."""
    held: int = 0
    """How many of them are on hold, whatever their state."""


class Census(Protocol):
    """Counts what the registry has."""

    def count(self) -> Mapping[PoolName, Count]:
        """Count the instances of every pool that has any but terminated ones, whatever the settings name.

        Raises RegistryUnavailable.
        """
        ...
