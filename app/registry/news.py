"""In which pools something happened, since somebody looked last, that is work for a pass."""

from collections.abc import Collection

from sqlalchemy import bindparam, func, or_, select

from app.domain.events import EventKind
from app.domain.model import PoolName
from app.registry.schema import events
from app.registry.steps import POLLER
from app.registry.transactions import Transactions

_WORK = (
    EventKind.INSTANCE_TERMINATING,
    EventKind.INSTANCE_UNHELD,
    EventKind.INSTANCE_WITHDRAWN,
)
"""Of what no caller asked for: what a pass is to follow."""

_newest = select(func.coalesce(func.max(events.c.id), 0))
_pools_since = (
    select(events.c.pool)
    .where(
        events.c.id > bindparam("seen"),
        # Who renews does so again and again, and a pass has nothing to do about it.
        events.c.kind != EventKind.ALLOCATION_RENEWED.value,
        # Else each pass that wrote a line would be followed by another. Not all of it is the leader's doing:
        # a claim may find an allocation whose time is over, wherever it was made.
        or_(events.c.actor != POLLER, events.c.kind.in_([kind.value for kind in _WORK])),
    )
    .distinct()
)


class News:
    """Follows the audit trail from one look to the next. For one thread at a time."""

    def __init__(self, transactions: Transactions, pools: Collection[PoolName]) -> None:
        self._looking = transactions.looking
        self._pools = frozenset(pools)
        self._seen = 0

    def look(self) -> frozenset[PoolName]:
        """Name the pools of which there are events since the last look: all at the first that finds any.

        What is about no pool, such as a token, is no news, nor is a renewal, nor what a pass or a probe did
        that leaves nothing to do. Raises RegistryUnavailable, and forgets nothing.
        """
        with self._looking() as tx:
            newest: int = tx.execute(_newest).scalar_one()
            if newest == self._seen:
                return frozenset()
            if not 0 < self._seen < newest:  # the first look, or a database that was restored
                found = self._pools
            else:
                found = self._pools.intersection(tx.execute(_pools_since, {"seen": self._seen}).scalars())
        self._seen = newest
        return found
