"""What operators may tell a running pool: how large its buffer is to be, and to leave AWS alone."""

from collections.abc import Collection, Mapping

from app.domain.controls import Change, Controls
from app.domain.errors import PoolNotFound
from app.domain.model import PoolName
from app.ports import Clock, ControlPanel, Waker


class Operator:
    """Changes the controls of pools; what is changed survives restarts, and holds at every replica."""

    def __init__(
        self, *, buffers: Mapping[PoolName, int], controls: ControlPanel, waker: Waker, clock: Clock
    ) -> None:
        """Take the pools there are, with the buffers that the settings name."""
        self._buffers = buffers
        self._controls = controls
        self._waker = waker
        self._clock = clock

    def change(
        self, pool: PoolName, change: Change, *, expect: Collection[int] | None, actor: str
    ) -> Controls:
        """Change the pool's controls and start a pass at once; returns them as they are then.

        With `expect`, VersionChanged is raised where they have another version by now than any of these.
        Raises PoolNotFound, and RegistryUnavailable.
        """
        configured = self._buffers.get(pool)
        if configured is None:
            raise PoolNotFound(f"There is no pool '{pool}'. There are: {', '.join(sorted(self._buffers))}.")
        after = self._controls.change(
            pool, change, configured=configured, expect=expect, actor=actor, now=self._clock.now()
        )
        self._waker.wake(pool)
        return after
