"""The ControlPanel port in memory."""

from collections.abc import Collection
from datetime import datetime

from app.domain.controls import Change, Controls
from app.domain.errors import PoolNotFound, VersionChanged
from app.domain.model import DEFAULT_POOL, PoolName


class FakeControls:
    """Knows the pools it was given."""

    def __init__(self, *pools: PoolName) -> None:
        self._all = {pool: Controls(pool=pool) for pool in pools or (DEFAULT_POOL,)}

    def controls(self, pool: PoolName) -> Controls:
        return self._all.get(pool, Controls(pool=pool))

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
        if pool not in self._all:
            raise PoolNotFound
        if expect is not None and self._all[pool].version not in expect:
            raise VersionChanged
        self._all[pool] = self._all[pool].changed(change, actor=actor, now=now)
        return self._all[pool]
