"""The service without AWS, as the tests of this folder use it."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from app.domain.access import Role
from app.domain.model import DEFAULT_POOL, InstanceId, PoolName, ProjectId
from app.ports import Tokens
from app.registry.catalogue import SqlCatalogue
from app.registry.census import SqlCensus
from app.registry.controls import SqlControls
from app.registry.leases import SqlLeases
from app.registry.outbox import SqlOutbox
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.access import Gate
from app.service.allocation import Allocator
from app.service.attempts import Attempts
from app.service.mailbox import Mailbox
from app.service.operator import Operator
from app.service.sessions import Sessions
from app.service.standing import Standing, Uses
from app.service.status import StatusReader
from app.service.tokens import TokenDesk
from app.settings import PoolSettings
from app.telemetry.metrics import Metrics
from app.web import create_app
from tests.builders import NOW, a_look
from tests.fake_clock import Stopwatch
from tests.fakes import (
    FakeClock,
    FakeHistory,
    FakeLine,
    FakePresence,
    FakeProber,
    FakeSessions,
    FakeTokens,
    FakeWaker,
    a_waiting_room,
)

TOKEN = "a-token-of-sixteen-characters-or-more"
JSON = {"Content-Type": "application/json"}
GPU = PoolName("gpu")
POOLS = {
    name: PoolSettings(
        name=name,
        group=group,
        region="us-east-1",
        buffer=5,
        address="public",
        port=8080,
        readiness="http",
        readiness_path="/healthz",
        boot_timeout=300,
    )
    for name, group in ((DEFAULT_POOL, "vscode-asg"), (GPU, "gpu-asg"))
}


class CompiledOnce(BytecodeCache):
    """The pages' templates, compiled for the first service and kept for all others."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = CompiledOnce()


class Service:
    """The service without AWS: two pools in a registry that the test fills, and a client."""

    def __init__(
        self,
        transactions: Transactions,
        token: str | None = None,
        *,
        loopback_only: bool = False,
        off: bool = False,
        tokens: Tokens | None = None,
        proxy_hops: int = 0,
        webhook: bool = True,
        **settings: float,
    ) -> None:
        """Without a token it is open to all, or with `loopback_only` to its own machine while unused.

        With `off` it is open to its own machine whatever tokens there are. `settings` are of both pools.
        """
        pools = {name: replace(pool, **settings) for name, pool in POOLS.items()}  # type: ignore[arg-type]
        self.registry = SqlRegistry(transactions)
        self.clock = FakeClock()
        transactions._clock = lambda _: self.clock.now()
        self.waker = FakeWaker()
        self.leases = SqlLeases(transactions)
        self.census = SqlCensus(transactions)
        self.watch = Stopwatch()
        self.metrics = Metrics(POOLS, version="1.2.3")
        self.history = FakeHistory(self.clock.now)
        self.presence = FakePresence(self.clock.now)
        self.tokens = tokens or FakeTokens()
        self.controls = SqlControls(transactions)
        self.outbox = SqlOutbox(transactions)
        belong_to(transactions, {name: Owner(pool.group, pool.region) for name, pool in POOLS.items()})
        self.gate = Gate(
            standing=Standing(self.tokens, monotonic=self.watch),
            uses=Uses(self.tokens),
            attempts=Attempts(monotonic=self.watch),
            clock=self.clock,
            admin_token=token,
            always_open=off or (token is None and tokens is None and not loopback_only),
            local=off,
            open_while_unused=loopback_only,
        )
        self.session_store = FakeSessions()
        self.sessions = Sessions(
            store=self.session_store, gate=self.gate, clock=self.clock, chance=secrets.token_bytes
        )
        self.app = create_app(
            allocator=Allocator(
                quick_probers={name: FakeProber() for name in POOLS},
                terms={name: pool.terms for name, pool in pools.items()},
                registry=self.registry,
                waker=self.waker,
                clock=self.clock,
                line=FakeLine(),
                waiting_room=a_waiting_room(),
                meter=self.metrics,
                monotonic=self.watch,
            ),
            catalogue=SqlCatalogue(transactions),
            operator=Operator(
                buffers={name: pool.buffer for name, pool in POOLS.items()},
                controls=self.controls,
                waker=self.waker,
                clock=self.clock,
            ),
            status_reader=StatusReader(
                pools=pools,
                poll_interval=timedelta(seconds=10),
                census=self.census,
                replica="this one",
                clock=self.clock,
                webhook=webhook,
            ),
            gate=self.gate,
            sessions=self.sessions,
            metrics=self.metrics,
            history=self.history,
            presence=self.presence,
            mailbox=Mailbox(self.outbox, on=webhook),
            clock=self.clock,
            proxy_hops=proxy_hops,
        )
        self.app.jinja_env.bytecode_cache = TEMPLATES
        self.http: FlaskClient = self.app.test_client()

    def token(self, name: str, role: Role, ttl: timedelta | None = None) -> str:
        """Make a token, as its holder sends it."""
        desk = TokenDesk(tokens=self.tokens, clock=self.clock, chance=secrets.token_bytes)
        return desk.create(name, role, ttl=ttl, actor="cli:ann")[1]

    def booting(self, pool: PoolName = DEFAULT_POOL) -> InstanceId:
        look = a_look()
        self.registry.discover(pool, look, now=NOW)
        return look.id

    def idle(self, address: str = "54.123.45.67", pool: PoolName = DEFAULT_POOL) -> InstanceId:
        instance = self.booting(pool)
        self.registry.mark_idle(instance, address, 8080, now=NOW)
        return instance

    def held_by(self, project: str, pool: PoolName = DEFAULT_POOL) -> InstanceId:
        """Let a project hold an instance; return its id."""
        self.idle(pool=pool)
        claimed = self.registry.claim(pool, ProjectId(project), actor="tester", now=self.clock.now())
        return claimed.allocation.instance

    def destroy(self, body: Any) -> Any:
        return self.http.post("/destroy", json=body)

    @property
    def allocated(self) -> int:
        return sum(
            one.project is not None for pool in POOLS for one in self.registry.instances(pool).values()
        )


def problem_of(answer: Any) -> str:
    """Check that an answer is a problem of the one shape, and return its code."""
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json(force=True)
    assert set(body) >= {"type", "title", "status", "detail", "code"}
    assert body["status"] == answer.status_code
    assert body["type"].endswith(body["code"])
    return str(body["code"])


def places_of(answer: Any) -> set[str]:
    """Return where an invalid request was wrong."""
    return {fault["where"] for fault in answer.get_json(force=True)["errors"]}
