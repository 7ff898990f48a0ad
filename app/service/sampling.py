"""What the pools looked like, for the hours after: one sample of each in every grain of time."""

from datetime import datetime

from app.domain.history import Sample, grain_of
from app.domain.model import InstanceState
from app.ports import Clock, History
from app.service.status import PoolStatus, StatusReader


class Sampler:
    """Takes samples of all pools of the settings, from the registry: they go on while AWS is away.

    One thread at a time.
    """

    def __init__(self, *, status_reader: StatusReader, history: History, clock: Clock) -> None:
        self._status_reader = status_reader
        self._history = history
        self._clock = clock
        self._taken: datetime | None = None

    def take(self) -> None:
        """Keep one sample of each pool, unless this grain of time has them from us already.

        To be called several times in a grain: a call that comes late, or fails, then leaves no gap. Raises
        RegistryUnavailable.
        """
        grain = grain_of(self._clock.now())
        if grain == self._taken:
            return
        self._history.note([_sample(status, grain) for status in self._status_reader.pools()])
        self._taken = grain


def _sample(status: PoolStatus, grain: datetime) -> Sample:
    return Sample(
        pool=status.config.name,
        at=grain,
        idle=status.count.of(InstanceState.IDLE),
        allocated=status.count.of(InstanceState.ALLOCATED),
        booting=status.count.of(InstanceState.BOOTING),
        waiting=status.waiting,
        buffer=status.buffer,
        desired=status.view.group.desired,
    )
