"""Batches: plain claims that come at about the same time share a transaction, and its way to the disk.

A batch settles what is plain: a project that gets what it holds, or an instance that is ready while nobody
waits in its pool's line. All else it leaves to the claim's own transaction, which is the truth: claims.py.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.domain.events import EventKind
from app.domain.limits import Limits, limits_of
from app.domain.model import Allocation, ProjectId
from app.ports import Claimed
from app.registry import messages, rows, steps
from app.registry.batch_alike import Alike
from app.registry.batch_postgresql import OnPostgresql
from app.registry.batch_sqlite import OnSqlite
from app.registry.claims import Claim
from app.registry.errors import Conflict
from app.registry.transactions import Transactions

MOST = 16
"""How many claims a batch has at most: more would only have the first of them wait longer."""

More = Callable[[], Sequence[Claim]]
"""Takes those out of the line that wait for the next batch; none, where there are none or too many."""

_ENDLESS = Limits()


def is_plain(claim: Claim) -> bool:
    """Whether a batch may be able to settle it: what stands in line is beyond one."""
    return claim.request is None


def nobody() -> Sequence[Claim]:
    """Stand for a line in which nobody waits."""
    return ()


class _Clock:
    """Tells what time it is for all replicas: asked once in a transaction, and only where it matters."""

    def __init__(self, transactions: Transactions, tx: Connection) -> None:
        self._transactions, self._tx = transactions, tx
        self._told: datetime | None = None

    def __call__(self) -> datetime:
        if self._told is None:
            self._told = self._transactions.time(self._tx)
        return self._told


class _Unwanted(Exception):
    """Somebody does not want any more what was given to it: nothing of the batch may count."""


class Batches:
    """Settles plain claims together, on one database."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        dialect = transactions.engine.dialect
        self._database = OnPostgresql(dialect) if transactions.lock_rows else OnSqlite(dialect)

    def settle(self, asked: Sequence[Claim], more: More = nobody) -> Sequence[Claimed | None]:
        """Answer plain claims in one transaction, as if each had come alone, in this order.

        Those that `more` names have come meanwhile, and are settled with them. See Registry.claim. None for a
        claim that is to be decided by itself: nothing has changed for it. Raises RegistryUnavailable.
        """
        claims = list(asked)
        first: dict[ProjectId, Claim] = {}
        held: dict[ProjectId, Allocation] = {}
        given: dict[ProjectId, Allocation] = {}
        try:
            with self._transactions.exclusively(one_by_one=True) as tx:
                clock = _Clock(self._transactions, tx)
                while asked:
                    of_others = [one for one in asked if first.setdefault(one.project, one) is one]
                    if of_others:
                        self._add(tx, of_others, held, given, clock)
                    asked = more()
                    claims.extend(asked)
                _check_wanted(first[of] for of in given)
        except (Conflict, _Unwanted):
            return [None] * len(claims)
        held.update(given)
        new = {id(first[of]) for of in given}
        return [
            Claimed(held[claim.project], created=id(claim) in new) if claim.project in held else None
            for claim in claims
        ]

    def _add(
        self,
        tx: Connection,
        claims: Sequence[Claim],
        held: dict[ProjectId, Allocation],
        given: dict[ProjectId, Allocation],
        clock: "_Clock",
    ) -> None:
        """Add what these hold, and what they are given. Each is of another project."""
        there, aside = self._database.look(tx, [claim.project for claim in claims])
        if there or aside:
            held.update(_held((row for row in there if row.project not in aside), clock))
            concerned = aside.union(row.project for row in there)
            claims = [claim for claim in claims if claim.project not in concerned]
        for alike in _alike(claims, clock):
            given.update(self._give(tx, alike))

    def _give(self, tx: Connection, alike: Alike) -> dict[ProjectId, Allocation]:
        """Allocate to these, as far as there is something for them: the first get it.

        It is what has been idle longest, where nobody waits in the pool's line, and not too long unproved for
        one of them. Messages that tell of it are written one by one.
        """
        one_by_one = messages.are_wanted(tx)
        taken = self._database.give(tx, alike, told=not one_by_one)
        now, given = alike.now, {}
        for claim, limits, instance in zip(alike.claims, alike.limits, taken, strict=False):
            given[claim.project] = Allocation(
                project=claim.project,
                pool=claim.pool,
                instance=instance.id,
                address=instance.address,
                port=instance.port,
                allocated_at=now,
                expires_at=limits.expires_at,
                confirm_by=limits.confirm_by,
            )
            if one_by_one:
                kind, about = EventKind.ALLOCATION_CREATED, (claim.pool, claim.actor, now)
                steps.record(tx, kind, *about, instance=instance.id, project=claim.project)
        return given


def _held(there: Iterable[Any], clock: _Clock) -> dict[ProjectId, Allocation]:
    """Return what is held, and goes on: what is due for an allocation is not done here."""
    held = {}
    for row in there:
        ends = [end for end in (row.expires_at, row.confirm_by) if end is not None]
        if not ends or min(ends) > clock():
            held[row.project] = rows.allocation(row)
    return held


def _check_wanted(given: Iterable[Claim]) -> None:
    if not all(claim.wanted() for claim in given):
        raise _Unwanted


def _alike(claims: Sequence[Claim], clock: _Clock) -> Iterable[Alike]:
    """Put together what one statement can give."""
    sorts: dict[object, list[Claim]] = {}
    for claim in claims:
        sorts.setdefault((claim.pool, claim.ready_since is None), []).append(claim)
    for some in sorts.values():
        limits = [limits_of(one.terms, clock()) if one.terms.limited else _ENDLESS for one in some]
        yield Alike(some, limits)
