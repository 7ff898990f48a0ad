"""NoProber: ready is who is in service, as far as AWS can tell."""

from collections.abc import Mapping

from app.domain.model import InstanceId


class NoProber:
    """Finds every instance ready without asking it."""

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return all of `targets`."""
        return frozenset(targets)

    def opens(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """Return all of `targets`."""
        return frozenset(targets)
