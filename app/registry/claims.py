"""Claims: a project gets what it holds, or an instance that nobody before it waits for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from app.domain.errors import PoolExhausted
from app.domain.events import EventKind
from app.domain.limits import Limits, limits_of
from app.domain.model import Allocation, InstanceId, PoolName, ProjectId
from app.domain.terms import Terms
from app.ports import Claimed, HungUp, RequestId, Unproved
from app.registry import limits, places, statements, steps
from app.registry.errors import Conflict
from app.registry.places import KEPT
from app.registry.transactions import Transactions

RETRY_AFTER = timedelta(seconds=5)
CANDIDATES = 16
"""How many doubtful instances are named at once: enough for a claim, few enough to be asked together."""
PATIENCE = 20
"""How often a claim waits for an instance that another transaction has locked."""
DEMAND_LASTS = KEPT
"""How long a project that got nothing counts as waiting; asking again starts it anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is asked for; see Registry.claim."""

    pool: PoolName
    project: ProjectId
    actor: str
    now: datetime
    ready_since: datetime | None
    last_try: bool
    terms: Terms
    request: RequestId | None
    wanted: Callable[[], bool]


def answer(transactions: Transactions, claim: Claim) -> Claimed:
    """Return what the project holds, or give it an instance; see Registry.claim."""
    try:
        with transactions.exclusively() as tx:
            if transactions.lock_rows:
                tx.execute(statements.queue_project, {"project": claim.project})
            clock = partial(transactions.time, tx)
            held = _held(tx, claim, clock)
            if held is not None:
                return Claimed(held, created=False)
            taken = _take_in_turn(tx, claim, side_by_side=transactions.lock_rows, clock=clock)
            if taken is None:
                _refuse(tx, claim)
            elif not claim.wanted():
                raise HungUp("Nobody waits for the answer any more.", retry_after=timedelta())
    except Conflict:  # another process gave this project its instance, which our schema keeps single
        with transactions.looking() as tx:
            held = steps.held_by(tx, claim.project)
        if held is None:
            raise
        return Claimed(held, created=False)
    if taken is None:
        raise PoolExhausted(
            f"No idle instance in pool '{claim.pool}' right now. Ask again soon.",
            retry_after=RETRY_AFTER,
        )
    return Claimed(taken, created=True)


def _held(tx: Connection, claim: Claim, clock: Callable[[], datetime]) -> Allocation | None:
    """Return what the project holds, and does not lose at this moment; its place in line ends with it."""
    held, in_line = steps.held_in_line(tx, claim.project)
    if held is not None and (held.expires_at or held.confirm_by):
        held = limits.going_on(tx, held, clock=clock())
    if held is not None and in_line:
        places.end(tx, claim.project, but_what_got=claim.request)
    return held


def _take_in_turn(
    tx: Connection, claim: Claim, *, side_by_side: bool, clock: Callable[[], datetime]
) -> Allocation | None:
    """Allocate what has been idle longest; None where there is nothing, or others wait for it before."""
    at_once, in_turn = statements.take_where_nobody_waits, statements.take
    if claim.ready_since is not None:
        at_once, in_turn = statements.take_of_the_ready_where_nobody_waits, statements.take_of_the_ready
    taken = _take(tx, at_once, claim, clock)
    if taken is not None:
        return taken
    if not places.any_in(tx, claim.pool):
        return _take_patiently(tx, at_once, claim, clock) if side_by_side else None
    if not places.is_its_turn(
        tx,
        claim.pool,
        claim.project,
        ready_since=claim.ready_since,
        side_by_side=side_by_side,
        clock=clock,
    ):
        return None
    taken = _take(tx, in_turn, claim, clock)
    if taken is None and side_by_side:
        taken = _take_patiently(tx, in_turn, claim, clock)
    return taken


def _take_patiently(
    tx: Connection, take: statements.Take, claim: Claim, clock: Callable[[], datetime]
) -> Allocation | None:
    """Wait for what other transactions have locked: a probe may be noted, and nothing taken."""
    wanted = {"of_pool": claim.pool, "ready_since": claim.ready_since}
    for _ in range(PATIENCE):
        # Whom we waited for may be taken by then, and the statement does not look for another one.
        if not tx.execute(take.any_left, wanted).scalar_one():
            return None
        taken = _take(tx, take, claim, clock, patiently=True)
        if taken is not None:
            return taken
    return None


def _take(
    tx: Connection,
    take: statements.Take,
    claim: Claim,
    clock: Callable[[], datetime],
    *,
    patiently: bool = False,
) -> Allocation | None:
    """Allocate an instance, and end the project's place in line; None where the statement finds none.

    `clock` tells the time that limits go by, and is asked only where there are any.
    """
    wanted: dict[str, object] = {"of_pool": claim.pool, "for_project": claim.project, "now": claim.now}
    if claim.ready_since is not None:
        wanted["ready_since"] = claim.ready_since
    taken = tx.execute(take.patiently if patiently else take.at_once, wanted).one_or_none()
    if taken is None:
        return None
    if taken.in_line:
        places.serve(tx, claim.project, claim.request)
    ends = limits_of(claim.terms, clock()) if claim.terms.limited else Limits()
    tx.execute(
        statements.add_allocation,
        {
            "project": claim.project,
            "pool": claim.pool,
            "instance_id": taken.id,
            "allocated_at": claim.now,
            "tagged": False,
            "expires_at": ends.expires_at,
            "warn_at": ends.warn_at,
            "confirm_by": ends.confirm_by,
        },
    )
    kind = EventKind.ALLOCATION_CREATED
    steps.record(tx, kind, claim.pool, claim.actor, claim.now, instance=taken.id, project=claim.project)
    return Allocation(
        project=claim.project,
        pool=claim.pool,
        instance=taken.id,
        address=taken.address,
        port=taken.port,
        allocated_at=claim.now,
        expires_at=ends.expires_at,
        confirm_by=ends.confirm_by,
    )


def _refuse(tx: Connection, claim: Claim) -> None:
    """Count the project as waiting, or raise Unproved where instances should be asked before."""
    if not claim.last_try:
        candidates = _doubtful(tx, claim.pool, claim.ready_since)
        if candidates:
            raise Unproved(candidates, retry_after=RETRY_AFTER)
    _wait(tx, claim)


def _doubtful(
    tx: Connection, pool: PoolName, ready_since: datetime | None
) -> dict[InstanceId, tuple[str, int]]:
    """Name idle instances that were not found ready since then, the longest idle first: where they listen."""
    wanted = {"pool": pool, "count": CANDIDATES, "ready_since": ready_since}
    found = tx.execute(statements.doubtful_idle, wanted)
    return {row.id: (row.address, row.port) for row in found}


def _wait(tx: Connection, claim: Claim) -> None:
    """Count a project that got nothing as waiting for a while; asking again starts it anew.

    It waits for what it asked for last: for one instance, of one pool.
    """
    pool, project, now = claim.pool, claim.project, claim.now
    until = now + DEMAND_LASTS
    waits = {"of": project, "of_pool": pool, "now": now, "until": until}
    if tx.execute(statements.wait_on, waits).rowcount == 0:
        tx.execute(statements.forget_waiting, {"project": project, "now": now})
        tx.execute(statements.wait, {"project": project, "pool": pool, "until": until})
        steps.record(tx, EventKind.ALLOCATION_UNMET, pool, claim.actor, now, project=project)
