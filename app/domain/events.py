"""The audit trail: who did what to which instance and project, and why."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.model import InstanceId, PoolName, ProjectId


class EventKind(StrEnum):
    """What the audit trail tells. Names never change; docs/reference/events.md is made from it."""

    INSTANCE_DISCOVERED = "instance.discovered"
    """A new member of the group was taken into the registry, as booting."""
    INSTANCE_IDLE = "instance.idle"
    """The instance passed its probe and may be handed out."""
    INSTANCE_WITHDRAWN = "instance.withdrawn"
    """An idle instance is no longer fit to be handed out; it is booting again."""
    INSTANCE_TERMINATING = "instance.terminating"
    """The instance is on its way out; the reason says by whose decision."""
    INSTANCE_TERMINATED = "instance.terminated"
    """The instance is proved to be gone."""
    ALLOCATION_UNMET = "allocation.unmet"
    """A project asked while nothing was idle; it counts as waiting for half a minute."""
    ALLOCATION_CREATED = "allocation.created"
    """A project got an instance."""
    ALLOCATION_ADOPTED = "allocation.adopted"
    """An instance is in use by its tags, and the registry did not know: taken over as allocated."""
    ALLOCATION_ENDED = "allocation.ended"
    """An allocation ended by our decision, the reason says which."""
    ALLOCATION_LOST = "allocation.lost"
    """An allocation ended because its instance did, not by our decision."""
    CAPACITY_RAISED = "capacity.raised"
    """Desired capacity was written; the reason says from what to what."""
    CAPACITY_MOVED = "capacity.moved"
    """Somebody else wrote desired capacity; the reason says from what to what."""
    ALLOCATION_RENEWED = "allocation.renewed"
    """An allocation's time limit was moved; the reason says to when."""
    ALLOCATION_CONFIRMED = "allocation.confirmed"
    """Who got the instance has said so, or uses it: the allocation does not end for want of that any more."""
    ALLOCATION_EXPIRING = "allocation.expiring"
    """An allocation ends soon unless it is renewed, or used again; the reason says when and why."""
    INSTANCE_HELD = "instance.held"
    """Somebody holds the instance for inspection: it is neither handed out nor ended by us."""
    INSTANCE_UNHELD = "instance.unheld"
    """The hold is over."""
    POOL_PAUSED = "pool.paused"
    """Nothing is changed at AWS for this pool until it is resumed."""
    POOL_RESUMED = "pool.resumed"
    """The pool is looked after again."""
    BUFFER_CHANGED = "buffer.changed"
    """An operator set the buffer; the reason says from what to what."""
    POOL_LIMITED = "pool.limited"
    """Something has kept the buffer from being met for half a minute; the reason says what."""
    POOL_RECOVERED = "pool.recovered"
    """Nothing keeps the buffer from being met any more; the reason says what did."""
    TOKEN_CREATED = "token.created"  # noqa: S105 - a name
    """A token was made, for all pools; the reason names it and its role."""
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - a name
    """A token was revoked; the reason names it."""
    LEADER_ELECTED = "leader.elected"
    """A replica leads from now on, for all pools: the actor names it, the reason its term."""
    INSTANCE_LEAKED = "instance.leaked"
    """An instance of the group that is no member and that nobody explains: reported, never ended by us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the audit trail: who did what to which instance and project, and why."""

    id: int
    at: datetime
    kind: EventKind
    pool: PoolName
    actor: str
    instance: InstanceId | None = None
    project: ProjectId | None = None
    reason: str | None = None
