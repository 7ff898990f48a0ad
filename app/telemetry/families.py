"""Every metric there is: name, type, labels, meaning. What counts, what prints and what documents reads this.

Names are promises: none is renamed or dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.errors import (
    AboveMax,
    BadCredentials,
    CloudError,
    CloudUnavailable,
    Contention,
    Denied,
    GroupMissing,
    OutcomeUnknown,
    Throttled,
    Unexpected,
)
from app.domain.model import NOT_TERMINATED, EndReason, InstanceState, Limit
from app.ports import AllocationOutcome, Delivery, MessageOutcome


class Kind(StrEnum):
    """How Prometheus is to take a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Where a metric's value comes from."""

    PROCESS = "process"
    """What one service, a gunicorn with its workers or a scheduler.py, counted since it was started: to be
    added up over all services."""
    REGISTRY = "registry"
    """What the database says at the moment of the scrape: all services that answer requests tell the same."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a metric."""

    name: str
    told: str
    """What stands in it, for people."""
    values: tuple[str, ...] = ()
    """All values there are; empty where that depends on the settings, or on what AWS says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric."""

    name: str
    kind: Kind
    meaning: str
    source: Source = Source.PROCESS
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    """Of a histogram: the upper ends, in seconds."""

    @property
    def bare_name(self) -> str:
        """The name as prometheus_client and OpenMetrics have it: a counter's without `_total`."""
        return self.name.removesuffix("_total") if self.kind is Kind.COUNTER else self.name

    @property
    def unit(self) -> str | None:
        """What it is measured in; None where it counts."""
        return "seconds" if self.name.endswith("_seconds") else None

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of its labels."""
        return tuple(label.name for label in self.labels)


OK, HELD, UNMATCHED, OTHER = "ok", "held", "unmatched", "other"
FINISHED, FAILED = "finished", "failed"
READY, TOLD, SILENT = "ready", "told", "silent"
BY_ITSELF = (EndReason.EXPIRED, EndReason.UNCONFIRMED, EndReason.UNUSED)
"""Why the service ends allocations that nobody asked it to end."""

AWS_ERRORS: tuple[type[CloudError], ...] = (
    AboveMax,
    BadCredentials,
    CloudUnavailable,
    Contention,
    Denied,
    GroupMissing,
    OutcomeUnknown,
    Throttled,
    Unexpected,
)
"""What a call that was made can end with. Those that were not made are not counted: where our own budget is
used up, where the pool is paused, where this replica leads no more."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STATES = (*(state.value for state in InstanceState if state in NOT_TERMINATED), HELD)

_POOL = Label("pool", "a pool of the settings")
_ALLOCATION = Label("outcome", "how it ended", tuple(one.value for one in AllocationOutcome))
_ACTION = Label("action", "AWS's own name of the action, `ec2:DescribeInstances`")
_METHOD = Label("method", "the method", (*METHODS, OTHER))
_ROUTE = Label(
    "route",
    f"the path as /openapi.json has it, `/v1/pools/{{name}}`, and `{UNMATCHED}` where there is no such path, "
    "or not with this method",
)

ALLOCATIONS = Family(
    name="ec2_orchestrator_allocations_total",
    kind=Kind.COUNTER,
    labels=(_POOL, _ALLOCATION),
    meaning="Requests for an instance, by how they ended. Refused ones are not among them (a wrong pool, no "
    "token, a database that is away): those are in ec2_orchestrator_http_requests_total.",
)
ALLOCATION_SECONDS = Family(
    name="ec2_orchestrator_allocation_seconds",
    kind=Kind.HISTOGRAM,
    labels=(_POOL, _ALLOCATION),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    meaning="How long these requests took, with all their waiting in line.",
)
LAUNCH_TO_READY_SECONDS = Family(
    name="ec2_orchestrator_launch_to_ready_seconds",
    kind=Kind.HISTOGRAM,
    labels=(_POOL,),
    buckets=(5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 450, 600, 900),
    meaning="From an instance's launch, as EC2 has it, until it could be handed out for the first time.",
)
ALLOCATIONS_ENDED = Family(
    name="ec2_orchestrator_allocations_ended_total",
    kind=Kind.COUNTER,
    labels=(_POOL, Label("reason", "why", tuple(one.value for one in BY_ITSELF))),
    meaning="Allocations that the leader ended by itself: their time was over, nobody confirmed them, or "
    "nobody used them. One that ends because its project asks again after its time is not among them.",
)
PASSES = Family(
    name="ec2_orchestrator_passes_total",
    kind=Kind.COUNTER,
    labels=(_POOL, Label("outcome", "how they ended", (FINISHED, FAILED))),
    meaning="Passes. A failed one could not look at AWS, or was broken off. Not counted: one that our own "
    "budget of AWS calls put off.",
)
PASS_SECONDS = Family(
    name="ec2_orchestrator_pass_seconds",
    kind=Kind.HISTOGRAM,
    labels=(_POOL,),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
    meaning="How long these passes took, the failed ones too.",
)
LEADER = Family(
    name="ec2_orchestrator_leader",
    kind=Kind.GAUGE,
    meaning="1 while one of this service's processes leads, else 0. Over all services the sum is 1.",
)
AWS_CALLS = Family(
    name="ec2_orchestrator_aws_calls_total",
    kind=Kind.COUNTER,
    labels=(
        _ACTION,
        Label(
            "outcome",
            f"`{OK}`, also where AWS refused as was expected, or the error's code",
            (OK, *(kind.code for kind in AWS_ERRORS)),
        ),
    ),
    meaning="Calls of AWS, by what came of them. One with several pages, or several attempts, is one call.",
)
AWS_CALL_SECONDS = Family(
    name="ec2_orchestrator_aws_call_seconds",
    kind=Kind.HISTOGRAM,
    labels=(_ACTION,),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    meaning="How long these calls took, with all pages and attempts, and whatever came of them.",
)
PROBES = Family(
    name="ec2_orchestrator_probes_total",
    kind=Kind.COUNTER,
    labels=(_POOL, Label("outcome", "whether the instance answered", (READY, SILENT))),
    meaning="Probes of instances. Those that boot are silent until they are ready.",
)
HEARTBEATS = Family(
    name="ec2_orchestrator_heartbeats_total",
    kind=Kind.COUNTER,
    labels=(_POOL, Label("outcome", "whether it told when it was last used", (TOLD, SILENT))),
    meaning="Allocated instances that were asked when they were last used. One that is silent is never ended "
    "for lack of use.",
)
WEBHOOK_ATTEMPTS = Family(
    name="ec2_orchestrator_webhook_attempts_total",
    kind=Kind.COUNTER,
    labels=(Label("outcome", "how they ended", tuple(one.value for one in MessageOutcome)),),
    meaning="Attempts to send a message to the webhook; the leader makes them.",
)
HTTP_REQUESTS = Family(
    name="ec2_orchestrator_http_requests_total",
    kind=Kind.COUNTER,
    labels=(_METHOD, _ROUTE, Label("status", "the status of the answer, `200`")),
    meaning="Requests that were answered.",
)
HTTP_REQUEST_SECONDS = Family(
    name="ec2_orchestrator_http_request_seconds",
    kind=Kind.HISTOGRAM,
    labels=(_METHOD, _ROUTE),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    meaning="How long these requests took, until the answer was there to be sent.",
)
BUILD_INFO = Family(
    name="ec2_orchestrator_build_info",
    kind=Kind.GAUGE,
    labels=(Label("version", "the version that runs"),),
    meaning="Always 1.",
)
REGISTRY_UP = Family(
    name="ec2_orchestrator_registry_up",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    meaning="1 where the database answered this scrape. 0 where it did not: all that is read from it is "
    "left out then.",
)
INSTANCES = Family(
    name="ec2_orchestrator_instances",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(
        _POOL,
        Label("state", f"its state, or `{HELD}` where it would be booting or idle, and is on hold", STATES),
    ),
    meaning="Instances, each counted once.",
)
BUFFER = Family(
    name="ec2_orchestrator_buffer",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(_POOL,),
    meaning="Idle instances to keep ready, as things stand: an operator may have changed it.",
)
BUFFER_DEFICIT = Family(
    name="ec2_orchestrator_buffer_deficit",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(_POOL,),
    meaning="How many idle instances are missing from the buffer; never below 0.",
)
WAITING_PROJECTS = Family(
    name="ec2_orchestrator_waiting_projects",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(_POOL,),
    meaning="Projects that asked in vain a short time ago, and hold nothing yet.",
)
DESIRED_CAPACITY = Family(
    name="ec2_orchestrator_desired_capacity",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(_POOL,),
    meaning="The group's desired capacity at the last look; left out where it is not known.",
)
MIN_SIZE = Family(
    name="ec2_orchestrator_min_size",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(_POOL,),
    meaning="The group's min size at the last look; left out where it is not known.",
)
MAX_SIZE = Family(
    name="ec2_orchestrator_max_size",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(_POOL,),
    meaning="The group's max size at the last look; left out where it is not known.",
)
LIMITED = Family(
    name="ec2_orchestrator_limited",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(
        _POOL,
        Label("limited_by", "what it is, as `limitedBy` in /status", tuple(one.value for one in Limit)),
    ),
    meaning="1 for what keeps the buffer from being met, 0 for each other thing that could.",
)
WARNING = Family(
    name="ec2_orchestrator_warning",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(_POOL, Label("code", "the warning's code, as in `warnings` of /status")),
    meaning="1 for each warning that stands; those that do not are left out.",
)
LAST_PASS_AGE_SECONDS = Family(
    name="ec2_orchestrator_last_pass_age_seconds",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(_POOL,),
    meaning="Since a pass of any replica last succeeded; +Inf where none ever has.",
)
LEADERSHIP_TERM = Family(
    name="ec2_orchestrator_leadership_term",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    meaning="The number of the running term, which grows with each change of the leader; left out while "
    "nobody leads.",
)

WEBHOOK_MESSAGES = Family(
    name="ec2_orchestrator_webhook_messages",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    labels=(Label("state", "what is to become of them", (Delivery.PENDING.value, Delivery.DEAD.value)),),
    meaning="Messages that are still to be sent to the webhook, and those that were given up.",
)
WEBHOOK_OLDEST_SECONDS = Family(
    name="ec2_orchestrator_webhook_oldest_pending_seconds",
    kind=Kind.GAUGE,
    source=Source.REGISTRY,
    meaning="How long ago the oldest message was written that is still to be sent; 0 where there is none.",
)

FAMILIES: Sequence[Family] = (
    ALLOCATIONS,
    ALLOCATION_SECONDS,
    ALLOCATIONS_ENDED,
    LAUNCH_TO_READY_SECONDS,
    PASSES,
    PASS_SECONDS,
    LEADER,
    AWS_CALLS,
    AWS_CALL_SECONDS,
    PROBES,
    HEARTBEATS,
    WEBHOOK_ATTEMPTS,
    HTTP_REQUESTS,
    HTTP_REQUEST_SECONDS,
    BUILD_INFO,
    REGISTRY_UP,
    INSTANCES,
    BUFFER,
    BUFFER_DEFICIT,
    WAITING_PROJECTS,
    DESIRED_CAPACITY,
    MIN_SIZE,
    MAX_SIZE,
    LIMITED,
    WARNING,
    LAST_PASS_AGE_SECONDS,
    LEADERSHIP_TERM,
    WEBHOOK_MESSAGES,
    WEBHOOK_OLDEST_SECONDS,
)
"""All of them, in the order in which they are printed and documented."""
