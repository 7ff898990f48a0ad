"""The resources of v1."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.base import WHOLE, Answer, Page, Request, Seconds, Time, no_default
from app.api.names import INSTANCE, ONE_LINE, POOL
from app.domain.controls import MOST_BUFFER

MOST_WAIT = 60
"""Seconds that a request may wait in line."""
MOST_TTL = 366 * 24 * 3600
"""The longest time limit of an allocation, in seconds: a year."""


Ttl = Annotated[int, Field(ge=1, le=MOST_TTL), WHOLE]


class Allocation(Answer):
    """A project holds an instance."""

    project: str
    """Who holds it"""
    pool: str
    """Which pool the instance is of"""
    instance: str
    """The EC2 instance id"""
    address: str
    """IP address of the instance"""
    url: str
    """Where VSCode Server answers"""
    state: str
    """`allocated`, or `terminating` once it is released"""
    allocated_at: Time
    """Since when the project holds it"""
    expires_at: Time | None
    """When it is released unless it is renewed; null: it has no time limit"""
    confirm_by: Time | None = Field(None, json_schema_extra=no_default)
    """When it is released unless it is confirmed, renewed or seen in use before; null: it need not be, or it
    was"""
    last_activity_at: Time | None
    """When the project was last seen to use the instance; null: not yet, or that cannot be seen"""


class AllocateRequest(Request):
    """How to allocate."""

    pool: Annotated[str, Field(pattern=POOL)] | None = None
    """Which pool to take an instance of; left out or null: what the project holds already, else `default`"""
    wait: Annotated[float, Field(ge=0, le=MOST_WAIT)] = 0
    """Seconds to wait for an instance where none is idle"""
    ttl: Ttl | None = None
    """Seconds until the allocation is released unless it is renewed; null: as long as the pool's settings say
    (`defaultTtl`)"""
    confirm_within: Ttl | None = None
    """Seconds until the allocation is released unless it is confirmed, renewed or seen in use before; null:
    as the pool's settings say (`confirmWithin`). Use is seen where readiness is `http`, or there is an
    idle timeout"""


class RenewRequest(Request):
    """How long an allocation is to last from now on."""

    ttl: Ttl | None
    """Seconds from now; null takes the time limit away, where the pool has no `maxTtl`"""
    instance: Annotated[str, Field(pattern=INSTANCE)] | None = None
    """The instance that is meant; where the project holds another one by now, nothing is renewed (404); left
    out or null: whatever the project holds"""


class ConfirmRequest(Request):
    """What is confirmed."""

    instance: Annotated[str, Field(pattern=INSTANCE)] | None = None
    """The instance that is meant; where the project holds another one by now, nothing is confirmed (404);
    left out or null: whatever the project holds"""


class Hold(Answer):
    """An instance is held for inspection: neither handed out nor ended by the service."""

    since: Time
    """Since when it is held"""
    by: str
    """Who holds it"""
    until: Time | None
    """When the hold ends by itself; null: when it is deleted"""
    reason: str | None
    """Why, in the words of who holds it"""


class HoldRequest(Request):
    """How to hold an instance."""

    ttl: Ttl | None = None
    """Seconds after which the hold ends by itself; null: when it is deleted"""
    reason: Annotated[str, Field(max_length=200, pattern=ONE_LINE)] | None = None
    """Why, for others: one line"""


class Instance(Answer):
    """One EC2 instance of a pool."""

    id: str
    """The EC2 instance id"""
    pool: str
    """Which pool it is of"""
    state: str
    """`booting`, `idle`, `allocated`, `terminating` or `terminated`: see the
    [list of states](/docs#list-of-states)"""
    state_since: Time
    """Since when it is in this state"""
    address: str | None
    """IP address; null until the instance has been ready"""
    port: int | None
    """Port of VSCode Server"""
    url: str | None
    """Where VSCode Server answers; null until the instance has been ready"""
    zone: str | None
    """Availability zone"""
    project: str | None
    """Who holds it, or held it last"""
    allocated_at: Time | None
    """Since when it is held, or was"""
    expires_at: Time | None
    """When the allocation ends unless it is renewed; null: it has no time limit"""
    confirm_by: Time | None = Field(None, json_schema_extra=no_default)
    """When the allocation ends unless it is confirmed, renewed or seen in use before; null: it need not be,
    or it was"""
    last_activity_at: Time | None = Field(None, json_schema_extra=no_default)
    """When the project was last seen to use it; null: not yet, or that cannot be seen"""
    launched_at: Time | None
    """When AWS started it"""
    ready_at: Time | None
    """When its last probe passed"""
    end_reason: str | None
    """Why it is terminating or terminated: see the [list of end reasons](/docs#list-of-end-reasons)"""
    hold: Hold | None
    """null: it is not held"""


class Notice(Answer):
    """Something an operator should know."""

    code: str
    """A slug that never changes: see the [list of warnings](/docs#list-of-warnings)"""
    detail: str
    """What it is this time, for a person"""


class Counts(Answer):
    """How many instances of a pool there are, each counted once: by its state, or as held."""

    booting: int
    """On their way in, and not on hold"""
    idle: int
    """May be handed out: ready, and not on hold"""
    allocated: int
    """Projects have them, on hold or not"""
    terminating: int
    """On their way out, on hold or not"""
    held: int
    """Kept from projects by a hold: they would be booting or idle"""


class Pool(Answer):
    """One Auto Scaling group, and what is wanted of it."""

    name: str
    """By which it is asked for"""
    group: str
    """Name of the Auto Scaling group"""
    region: str
    """AWS region of the group"""
    buffer: int
    """Idle instances to keep ready"""
    configured_buffer: int
    """What the settings say; `buffer` differs where it was set since"""
    paused: bool
    """Nothing is changed at AWS; claims go on"""
    paused_at: Time | None
    """Since when"""
    paused_by: str | None
    """By whom"""
    address: Literal["public", "private"]
    """Which address of an instance is handed out"""
    port: int
    """Port of VSCode Server on an instance"""
    readiness: Literal["http", "tcp", "off"]
    """What an instance must pass before it is idle"""
    default_ttl: Seconds | None = Field(None, json_schema_extra=no_default)
    """How long an allocation lasts, in seconds, where no `ttl` is asked for; null: it has no time limit"""
    max_ttl: Seconds | None = Field(None, json_schema_extra=no_default)
    """The most seconds that may be asked for at once; null: any, and none"""
    confirm_within: Seconds | None = Field(None, json_schema_extra=no_default)
    """Seconds within which an allocation must be confirmed, renewed or used where no `confirmWithin` is asked
    for; null: it need not be"""
    idle_timeout: Seconds | None = Field(None, json_schema_extra=no_default)
    """Seconds that an allocation which was used may be unused before it is released; null: any"""
    instances: Counts
    waiting: int = Field(0, json_schema_extra=no_default)
    """Projects that wait in line, or asked in vain within the last half minute, and hold nothing yet"""
    launch_seconds: Seconds | None = Field(None, json_schema_extra=no_default)
    """How long the last launches took until the instance was ready: their median; null: none was measured"""
    desired_capacity: int | None
    """As AWS had it in the last pass"""
    min_size: int | None
    """The group's own, as AWS had it in the last pass"""
    max_size: int | None
    """The group's own, as AWS had it in the last pass"""
    limited_by: str | None
    """Why the buffer cannot be met: a word of the [list of limits](/docs#list-of-limits); null: nothing is in
    the way"""
    last_pass_at: Time | None
    """When AWS was last looked at with success"""
    warnings: list[Notice]
    """What an operator should know"""


class PoolPatch(Request):
    """What to change of a pool; what is left out stays as it is."""

    buffer: Annotated[int, Field(ge=0, le=MOST_BUFFER), WHOLE] | None = Field(
        None, json_schema_extra=no_default
    )
    """Idle instances to keep ready; null: as the settings have it"""
    paused: bool = Field(False, json_schema_extra=no_default)
    """true: change nothing at AWS any more, until it is false again"""


class Event(Answer):
    """One line of the audit trail."""

    id: int
    """Later events have higher numbers"""
    at: Time
    """When it happened"""
    kind: str
    """What happened: see the [list of events](/docs#list-of-events)"""
    pool: str
    """`*`: it concerns all pools"""
    actor: str
    """Who did it: `token:NAME`, `admin` (the token in the settings), `anonymous`, `poller`, a replica, or
    `cli:USER`, who made or revoked a token"""
    instance: str | None
    """Which instance it is about"""
    project: str | None
    """Which project it is about"""
    reason: str | None
    """Why, or what exactly"""


class WebhookMessage(Answer):
    """A message to the webhook, and what became of it."""

    id: str
    """Which it has for the receiver, too, as the header `webhook-id`: the same each time it is sent"""
    type: str
    """What it tells, `allocation.created`"""
    pool: str
    """Which pool it is about"""
    at: Time
    """When that happened"""
    state: str
    """`pending` (it is to be sent, for the first time or again), `delivered`, or `dead` (it was given up)"""
    attempts: int
    """How often it was sent, or tried, since it was written or asked for again"""
    next_attempt_at: Time | None
    """When it is sent next; null: it is not"""
    ended_at: Time | None
    """When it was delivered, or given up"""
    last_error: str | None
    """What went wrong the last time"""
    body: dict[str, Any]
    """What is sent"""


class WebhookCount(Answer):
    """How many messages to the webhook that concerned."""

    messages: int
    """How many; 0: there was none"""


class AllocationPage(Page[Allocation]):
    """A part of the list of allocations."""


class InstancePage(Page[Instance]):
    """A part of the list of instances."""


class PoolPage(Page[Pool]):
    """A part of the list of pools."""


class EventPage(Page[Event]):
    """A part of the audit trail."""


class WebhookMessagePage(Page[WebhookMessage]):
    """A part of the list of messages to the webhook."""
