"""Whose database it is: a pool is tied to its group at the first start, and then belongs to no other.

Otherwise every instance of the old group would look lost, and the new group would be handed out.
"""

from typing import NamedTuple

from sqlalchemy import Connection

from app.domain.errors import RegistryUnusable
from app.domain.model import PoolName, PoolView
from app.registry import rows, statements


class Owner(NamedTuple):
    """An Auto Scaling group, and the region it is in."""

    group: str
    region: str

    def __str__(self) -> str:
        """Write it as a message does."""
        return f"'{self.group}' in {self.region}"


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
    if known is None:
        tx.execute(statements.add_pool, {"name": pool, **named, **rows.pool_values(PoolView(pool=pool))})
    else:
        owner = owner_of(tx, pool)
        if owner is None:
            tx.execute(statements.replace_pool, {"pool": pool, **named})
        check(owner, wanted)


def check(owner: Owner | None, wanted: Owner) -> None:
    """Raise RegistryUnusable where the pool is somebody else's."""
    if owner not in {None, wanted}:
        raise RegistryUnusable(f"{dispute(owner, wanted)}: use another database, or mend the settings.")


def dispute(owner: Owner | None, wanted: Owner) -> str:
    """Write what is wrong, but not what to do."""
    return f"The database belongs to the group {owner}, and the settings name {wanted}"
