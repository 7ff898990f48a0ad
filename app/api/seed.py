"""The seed's three endpoints, whose words differ from v1's."""

from pydantic import ConfigDict, Field

from app.api.base import Answer, Request, Time, no_default
from app.api.names import INSTANCE
from app.api.v1 import Notice


class SeedAllocation(Answer):
    """A project's instance."""

    ip: str
    """IP address of the instance"""
    project_id: str
    """Who holds it"""
    machine_id: str
    """The EC2 instance id"""
    url: str
    """Where VSCode Server answers"""


class DestroyRequest(Request):
    """Which instance to end. Other fields are ignored, as they always were here."""

    model_config = ConfigDict(extra="ignore")

    machine_id: str = Field(json_schema_extra={"pattern": INSTANCE})
    """The EC2 instance id, as /status and the allocation tell it"""


class Destroyed(Answer):
    """An instance that is on its way out."""

    machine_id: str
    """The EC2 instance id"""
    project_id: str | None
    """Who held it; null: nobody"""
    state: str
    """`terminating`"""


class Machine(Answer):
    """One instance of the pool `default`."""

    machine_id: str
    """The EC2 instance id"""
    ip: str | None
    """IP address; null until the instance has been ready"""
    state: str
    """`booting`, `idle`, `allocated` or `terminating`"""
    is_used: bool
    """Whether a project holds it"""
    assigned_project: str | None
    """Which project holds it; null while it is idle"""
    url: str | None
    """Where VSCode Server answers; null until the instance has been ready"""
    zone: str | None
    """Availability zone"""
    launched_at: Time | None
    """When AWS started it"""
    state_since: Time
    """Since when it is in this state"""
    ready_at: Time | None
    """When its last probe passed; null while it is used"""
    allocated_at: Time | None
    """Since when it is used"""
    expires_at: Time | None
    """When it is released unless it is renewed; null: it has no time limit"""
    last_activity_at: Time | None = Field(None, json_schema_extra=no_default)
    """When the project was last seen to use it; null: not yet, or that cannot be seen"""
    held: bool
    """Whether somebody keeps it for inspection"""


class Leader(Answer):
    """Who runs the passes."""

    replica: str
    """Which process"""
    term: int
    """The number of its term, which no other ever has"""
    since: Time
    """When its term began"""


class PoolFigures(Answer):
    """A pool at a glance."""

    name: str
    """Which pool"""
    total_machines: int
    """Idle and used together"""
    idle_machines: int
    """May be handed out: ready, and not on hold"""
    used_machines: int
    """Held by projects, on hold for inspection or not"""
    booting_machines: int
    """On their way in, and not on hold"""
    terminating_machines: int
    """On their way out, on hold or not"""
    held_machines: int
    """Kept from projects by a hold: they would be booting or idle"""
    waiting_projects: int = Field(0, json_schema_extra=no_default)
    """Projects that wait in line, or asked in vain within the last half minute, and hold nothing yet"""
    buffer: int
    """Idle machines to keep ready"""
    paused: bool
    """Nothing is changed at AWS; claims go on"""
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


class Status(PoolFigures):
    """The pool `default` with its instances, the figures of every pool, and who leads."""

    last_pass_age_seconds: float | None
    """Since `lastPassAt`"""
    replica: str
    """The process that answers"""
    leader: Leader | None
    """Who runs the passes; null: nobody at the moment"""
    pools: list[PoolFigures]
    """Every pool, `default` first"""
    machines: list[Machine]
    """Every instance of the pool `default` that is not terminated"""
