"""What operators told each pool."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from app.domain.controls import Change, Controls
from app.domain.model import PoolName


class ControlPanel(Protocol):
    """Keeps the controls of each pool. Each method may raise RegistryUnavailable."""

    def controls(self, pool: PoolName) -> Controls:
        """Return the pool's controls as they stand; untouched ones where nobody ever set any."""
        ...

    def change(
        self,
        pool: PoolName,
        change: Change,
        *,
        configured: int,
        expect: Collection[int] | None,
        actor: str,
        now: datetime,
    ) -> Controls:
        """Change the pool's controls, and write it into the audit trail; returns them as they are then.

        What is so already is left alone, and counts as no change. `configured` is the settings' buffer, for
        the words of the event. With `expect`, VersionChanged is raised, and nothing done, where their version
        is none of these. Raises PoolNotFound where the registry has no such pool.
        """
        ...
