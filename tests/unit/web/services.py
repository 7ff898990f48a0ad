"""The service without AWS, as the tests of this folder use it."""

from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from pydantic import SecretStr

from app.domain.model import DEFAULT_POOL, InstanceId
from app.registry.sql import SqlRegistry
from app.service.allocation import Allocator
from app.service.status import StatusReader
from app.web import create_app
from tests.builders import NOW, a_look
from tests.fakes import FakeClock, FakeLeases, FakeProber, FakeWaker

TOKEN = "a-token-of-sixteen-characters-or-more"
JSON = {"Content-Type": "application/json"}


class Service:
    """The service without AWS: a registry that the test fills, and a client."""

    def __init__(
        self, registry: SqlRegistry, token: str | None = None, *, loopback_only: bool = False
    ) -> None:
        self.registry = registry
        self.clock = FakeClock()
        self.waker = FakeWaker()
        self.leases = FakeLeases()
        app = create_app(
            allocator=Allocator(
                pool=DEFAULT_POOL,
                registry=registry,
                quick_prober=FakeProber(),
                waker=self.waker,
                clock=self.clock,
            ),
            status_reader=StatusReader(
                pool=DEFAULT_POOL,
                buffer=5,
                poll_interval=timedelta(seconds=10),
                registry=registry,
                leases=self.leases,
                replica="this one",
                clock=self.clock,
            ),
            token=SecretStr(token) if token else None,
            loopback_only=loopback_only,
        )
        self.http: FlaskClient = app.test_client()

    def booting(self) -> InstanceId:
        look = a_look()
        self.registry.discover(DEFAULT_POOL, look, now=NOW)
        return look.id

    def idle(self, address: str = "54.123.45.67") -> InstanceId:
        instance = self.booting()
        self.registry.mark_idle(instance, address, 8080, now=NOW)
        return instance

    def destroy(self, body: Any) -> Any:
        return self.http.post("/destroy", json=body)

    @property
    def allocated(self) -> int:
        return sum(one.project is not None for one in self.registry.instances(DEFAULT_POOL).values())


def problem_of(answer: Any) -> str:
    """Check that an answer is a problem of the one shape, and return its code."""
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json(force=True)
    assert set(body) >= {"type", "title", "status", "detail", "code"}
    assert body["status"] == answer.status_code
    assert body["type"].endswith(body["code"])
    return str(body["code"])
