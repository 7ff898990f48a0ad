"""What the document shows as examples: values of the models, so that they are never wrong."""

from datetime import UTC, datetime

from app.api.health import Alive, Check, Ready
from app.api.seed import (
    Destroyed,
    DestroyRequest,
    Leader,
    Machine,
    PoolFigures,
    SeedAllocation,
    Status,
)
from app.api.v1 import (
    AllocateRequest,
    Allocation,
    AllocationPage,
    ConfirmRequest,
    Counts,
    Event,
    EventPage,
    Hold,
    HoldRequest,
    Instance,
    InstancePage,
    Pool,
    PoolPage,
    PoolPatch,
    RenewRequest,
    WebhookCount,
    WebhookMessage,
    WebhookMessagePage,
)
from app.api.webhooks import (
    AllocationCreated,
    AllocationExpiring,
    AllocationLost,
    AllocationReleased,
    AllocationTold,
    ExpiringTold,
    PoolLimited,
    PoolRecovered,
    PoolTold,
    TestTold,
    WebhookTest,
)
from app.domain.model import Limit
from app.domain.verdict import REMEDIES

_NINE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
_TEN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_HALF_PAST = _TEN.replace(minute=30)
_ELEVEN = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
_ID = "i-0123456789abcdef0"
_ADDRESS = "54.123.45.67"
_URL = f"http://{_ADDRESS}:8080"

NEXT = "YWxsb2NhdGlvbnM6bXktcHJvamVjdA"

ALLOCATE = AllocateRequest.model_validate({"wait": 30, "ttl": 3600, "confirmWithin": 60})
RENEW = RenewRequest.model_validate({"ttl": 3600})
CONFIRM = ConfirmRequest.model_validate({})
HOLD = HoldRequest.model_validate({"ttl": 7200, "reason": "looking into a full disk"})
PATCH = PoolPatch.model_validate({"buffer": 8, "paused": False})
DESTROY = DestroyRequest.model_validate({"machineId": _ID})

ALLOCATION = Allocation(
    project="my-project",
    pool="default",
    instance=_ID,
    address=_ADDRESS,
    url=_URL,
    state="allocated",
    allocated_at=_TEN,
    expires_at=_ELEVEN,
    confirm_by=None,
    last_activity_at=_HALF_PAST,
)
NEW = ALLOCATION.model_copy(update={"confirm_by": _TEN.replace(minute=1), "last_activity_at": None})
RELEASED = ALLOCATION.model_copy(update={"state": "terminating"})
ALLOCATIONS = AllocationPage(items=[ALLOCATION], next=NEXT)

INSTANCE = Instance(
    id=_ID,
    pool="default",
    state="allocated",
    state_since=_TEN,
    address=_ADDRESS,
    port=8080,
    url=_URL,
    zone="us-east-1a",
    project="my-project",
    allocated_at=_TEN,
    expires_at=_ELEVEN,
    confirm_by=None,
    last_activity_at=_HALF_PAST,
    launched_at=_NINE,
    ready_at=None,
    end_reason=None,
    hold=None,
)
INSTANCES = InstancePage(items=[INSTANCE], next=None)
ENDING = INSTANCE.model_copy(
    update={"state": "terminating", "state_since": _ELEVEN, "end_reason": "destroyed"}
)
HELD = INSTANCE.model_copy(
    update={"hold": Hold(since=_ELEVEN, by="token:ops", until=None, reason="looking into a full disk")}
)

POOL = Pool(
    name="default",
    group="vscode-asg",
    region="us-east-1",
    buffer=5,
    configured_buffer=5,
    paused=False,
    paused_at=None,
    paused_by=None,
    address="public",
    port=8080,
    readiness="http",
    instances=Counts(booting=2, idle=3, allocated=7, terminating=0, held=1),
    default_ttl=None,
    max_ttl=86400,
    confirm_within=None,
    idle_timeout=3600,
    waiting=0,
    launch_seconds=48.5,
    desired_capacity=12,
    min_size=0,
    max_size=20,
    limited_by=None,
    last_pass_at=_ELEVEN,
    warnings=[],
)
CHANGED = POOL.model_copy(update={"buffer": 8})
POOLS = PoolPage(items=[POOL], next=None)

EVENTS = EventPage(
    items=[
        Event(
            id=318,
            at=_TEN,
            kind="allocation.created",
            pool="default",
            actor="token:ci",
            instance=_ID,
            project="my-project",
            reason=None,
        )
    ],
    next=None,
)

SEED_ALLOCATION = SeedAllocation(ip=_ADDRESS, project_id="my-project", machine_id=_ID, url=_URL)
DESTROYED = Destroyed(machine_id=_ID, project_id="my-project", state="terminating")
_FIGURES = PoolFigures(
    name="default",
    total_machines=10,
    idle_machines=3,
    used_machines=7,
    booting_machines=2,
    terminating_machines=0,
    held_machines=0,
    waiting_projects=0,
    buffer=5,
    paused=False,
    desired_capacity=12,
    min_size=0,
    max_size=20,
    limited_by=None,
    last_pass_at=_ELEVEN,
    warnings=[],
)
STATUS = Status(
    **dict(_FIGURES),
    last_pass_age_seconds=2.5,
    replica="host-1:4711:a1b2c3",
    leader=Leader(replica="host-1:4711:a1b2c3", term=3, since=_NINE),
    pools=[_FIGURES],
    machines=[
        Machine(
            machine_id=_ID,
            ip=_ADDRESS,
            state="allocated",
            is_used=True,
            assigned_project="my-project",
            url=_URL,
            zone="us-east-1a",
            launched_at=_NINE,
            state_since=_TEN,
            ready_at=None,
            allocated_at=_TEN,
            expires_at=_ELEVEN,
            last_activity_at=_HALF_PAST,
            held=False,
        )
    ],
)

ALIVE = Alive(status="ok")
READY = Ready(
    status="ready",
    checks={
        "registry": Check(passed=True, detail="answers"),
        "pass": Check(passed=True, detail="last success 3 s ago"),
    },
    last_pass_age_seconds=2.5,
    replica="host-1:4711:a1b2c3",
    leader=Leader(replica="host-1:4711:a1b2c3", term=3, since=_NINE),
)

_TOLD = AllocationTold(**dict(ALLOCATION), reason=None, actor="token:ci", event=4711)
_ENDED = {"state": "terminating", "event": 4712}
_LIMITED = PoolTold(
    pool="default",
    limited_by="max-size",
    detail=REMEDIES[Limit.MAX_SIZE],
    event=4713,
)
TOLD = (
    AllocationCreated(timestamp=_TEN, data=_TOLD.model_copy(update={"last_activity_at": None})),
    AllocationExpiring(
        timestamp=_HALF_PAST,
        data=ExpiringTold(**{**dict(_TOLD), "reason": "expired", "actor": "poller", "ends_at": _ELEVEN}),
    ),
    AllocationReleased(timestamp=_ELEVEN, data=_TOLD.model_copy(update={**_ENDED, "reason": "released"})),
    AllocationLost(
        timestamp=_ELEVEN, data=_TOLD.model_copy(update={**_ENDED, "reason": "left", "actor": "poller"})
    ),
    PoolLimited(timestamp=_TEN, data=_LIMITED),
    PoolRecovered(timestamp=_ELEVEN, data=_LIMITED.model_copy(update={"event": 4714})),
    WebhookTest(timestamp=_ELEVEN, data=TestTold(actor="token:ci")),
)
MESSAGE = WebhookMessage(
    id="msg_0f5c2a6e9d3b4c1f8a7e6d5c4b3a2f10",
    type="allocation.created",
    pool="default",
    at=_TEN,
    state="pending",
    attempts=0,
    next_attempt_at=_TEN,
    ended_at=None,
    last_error="hooks.example.com answered 500",
    body=TOLD[0].model_dump(mode="json", by_alias=True),
)
MESSAGES = WebhookMessagePage(items=[MESSAGE], next=None)
MESSAGE_COUNT = WebhookCount(messages=12)
TEST = MESSAGE.model_copy(
    update={
        "type": "webhook.test",
        "at": _ELEVEN,
        "next_attempt_at": _ELEVEN,
        "last_error": None,
        "body": TOLD[-1].model_dump(mode="json", by_alias=True),
    }
)
