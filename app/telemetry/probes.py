"""What the probes find, counted: the Prober port around another one."""

from collections.abc import Mapping

from app.domain.model import InstanceId, PoolName
from app.ports import Meter, Prober


class MeteredProber:
    """Asks as the prober does that it is made with, and counts who answers."""

    def __init__(self, prober: Prober, pool: PoolName, meter: Meter) -> None:
        self._prober = prober
        self._pool = pool
        self._meter = meter

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """See Prober.probe."""
        ready = self._prober.probe(targets)
        self._meter.probed(self._pool, ready=len(ready), silent=len(targets) - len(ready))
        return ready

    def opens(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        """See Prober.opens. Not counted: it is no probe, and comes once in an instance's life."""
        return self._prober.opens(targets)
