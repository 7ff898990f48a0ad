"""Whether instances answer."""

from collections.abc import Mapping
from typing import Protocol

from app.domain.model import InstanceId


class Prober(Protocol):
    """Finds out whether instances answer."""

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` (id: address and port) that are ready. Never raises; bounded in time.

        Asking does not count as a use of the instance.
        """
        ...

    def opens(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return those of `targets` whose front page opens. Never raises; bounded in time.

        Asking counts as a use: for instances that nobody can hold yet.
        """
        ...
