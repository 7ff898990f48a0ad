"""What operators told each pool: columns of its row, which no pass writes."""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from app.domain.controls import Change, Controls
from app.domain.errors import PoolNotFound, VersionChanged
from app.domain.events import EventKind
from app.domain.model import PoolName
from app.registry import rows, steps
from app.registry.schema import pools
from app.registry.transactions import Transactions

_columns = (pools.c.name, pools.c.buffer, pools.c.paused_at, pools.c.paused_by, pools.c.controls_version)
_controls = select(*_columns).where(pools.c.name == bindparam("pool"))
_lock = _controls.with_for_update()
_write = update(pools).where(pools.c.name == bindparam("pool"))


class SqlControls:
    """The ControlPanel port, on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._exclusively, self._looking = transactions.exclusively, transactions.looking

    def controls(self, pool: PoolName) -> Controls:
        """See ControlPanel.controls."""
        with self._looking() as tx:
            return _read(tx, pool) or Controls(pool=pool)

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
        """See ControlPanel.change."""
        with self._exclusively() as tx:
            before = _read(tx, pool, lock=True)
            if before is None:
                raise PoolNotFound(f"The database has no pool '{pool}': no service with it was ever started.")
            if expect is not None and before.version not in expect:
                raise VersionChanged(
                    f"The controls of pool '{pool}' were changed since you read them: read them again."
                )
            after = before.changed(change, actor=actor, now=now)
            if after == before:
                return before
            values = {
                "pool": pool,
                "buffer": after.buffer,
                "paused_at": after.paused_at,
                "paused_by": after.paused_by,
                "controls_version": after.version,
            }
            tx.execute(_write, values)
            for kind, reason in _told(before, after, configured):
                steps.record(tx, kind, pool, actor, now, reason=reason)
        return after


def _read(tx: Connection, pool: PoolName, *, lock: bool = False) -> Controls | None:
    row = tx.execute(_lock if lock else _controls, {"pool": pool}).one_or_none()
    return None if row is None else rows.controls(row)


def _told(before: Controls, after: Controls, configured: int) -> Iterator[tuple[EventKind, str | None]]:
    if before.paused != after.paused:
        yield (EventKind.POOL_PAUSED if after.paused else EventKind.POOL_RESUMED), None
    if before.buffer != after.buffer:
        old = configured if before.buffer is None else before.buffer
        new = f"{configured}, as configured" if after.buffer is None else str(after.buffer)
        yield EventKind.BUFFER_CHANGED, f"from {old} to {new}"
