"""Whose database it is: a pool is tied to its group at the first start, and then belongs to no other.

Otherwise every instance of the old group would look lost, and the new group would be handed out.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, select

from app.domain.errors import RegistryUnavailable, RegistryUnusable
from app.domain.model import DEFAULT_POOL, NOT_TERMINATED, PoolName, PoolView
from app.registry import rows, statements
from app.registry.errors import Conflict
from app.registry.schema import instances, pools
from app.registry.transactions import Transactions


class Owner(NamedTuple):
    """An Auto Scaling group, and the region it is in."""

    group: str
    region: str

    def __str__(self) -> str:
        """Write it as a message does."""
        return f"'{self.group}' in {self.region}"


_namesake = (
    select(func.min(pools.c.name))
    .where(
        pools.c.group_name == bindparam("group"),
        pools.c.region == bindparam("region"),
        pools.c.name != bindparam("pool"),
    )
    .where(
        exists().where(
            instances.c.pool == pools.c.name,
            instances.c.state.in_(sorted(state.value for state in NOT_TERMINATED)),
        )
    )
)


def belong_to(transactions: Transactions, owners: Mapping[PoolName, Owner], *, patient: bool = False) -> None:
    """Tie each pool to its group at the first start; raise RegistryUnusable where one is tied to another.

    Where the database does not answer, the `patient` go on, and it is done before anything else once it
    does; for the others that, too, is RegistryUnusable.
    """
    tie_all = partial(_tie_all, transactions, owners)
    try:
        tie_all()
    except RegistryUnavailable as error:
        if not patient:
            raise RegistryUnusable(error.detail) from error
        transactions.owe(tie_all)


def _tie_all(transactions: Transactions, owners: Mapping[PoolName, Owner]) -> None:
    try:
        _tie_once(transactions, owners)
    except Conflict:  # somebody else put a row there at the same time: it is there now
        _tie_once(transactions, owners)


def _tie_once(transactions: Transactions, owners: Mapping[PoolName, Owner]) -> None:
    with transactions.exclusively(before_all=True) as tx:
        for pool, wanted in sorted(owners.items()):
            tie(tx, pool, wanted)


def owner_of(tx: Connection, pool: PoolName) -> Owner | None:
    """Say to whom the pool is tied; None before its first start."""
    row = tx.execute(statements.owner, {"pool": pool}).one_or_none()
    return None if row is None or row.group_name is None else Owner(*row)


def tie(tx: Connection, pool: PoolName, wanted: Owner) -> None:
    """Tie a pool that is not tied yet; RegistryUnusable where it is tied to another.

    Two that put its row there at once conflict, and the schema lets one of them: the other asks again.
    """
    named = {"group_name": wanted.group, "region": wanted.region}
    known = tx.execute(statements.lock_pool, {"pool": pool}).one_or_none()
    owner = None if known is None else owner_of(tx, pool)
    check(pool, owner, wanted)
    if owner is not None:
        return
    before = namesake(tx, pool, wanted)
    if before is not None:
        raise RegistryUnusable(f"{renamed(before, pool, wanted)}: give it that name again.")
    if known is None:
        tx.execute(statements.add_pool, {"name": pool, **named, **rows.pool_values(PoolView(pool=pool))})
    else:
        tx.execute(statements.replace_pool, {"pool": pool, **named})


def namesake(tx: Connection, pool: PoolName, wanted: Owner) -> PoolName | None:
    """Name another pool of this database that has instances of this group: no two may share one."""
    values = {"group": wanted.group, "region": wanted.region, "pool": pool}
    return tx.execute(_namesake, values).scalar_one_or_none()


def check(pool: PoolName, owner: Owner | None, wanted: Owner) -> None:
    """Raise RegistryUnusable where the pool is somebody else's."""
    if owner not in {None, wanted}:
        raise RegistryUnusable(f"{dispute(pool, owner, wanted)}: use another database, or mend the settings.")


def dispute(pool: PoolName, owner: Owner | None, wanted: Owner) -> str:
    """Write what is wrong, but not what to do."""
    what = "The database" if pool == DEFAULT_POOL else f"Pool '{pool}' of the database"
    return f"{what} belongs to the group {owner}, and the settings name {wanted}"


def renamed(before: PoolName, pool: PoolName, wanted: Owner) -> str:
    """Write what is wrong, but not what to do."""
    return (
        f"The group {wanted} is that of the pool '{before}' in the database, which still has instances, and "
        f"the settings name it '{pool}'"
    )
