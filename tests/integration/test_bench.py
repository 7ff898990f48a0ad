"""What the benchmark prepares, a registry whose instances are as if probed all the time, and how it asks."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

import pytest

from app.domain.model import DEFAULT_POOL, ProjectId
from app.domain.terms import TermsPolicy
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.allocation import Allocator
from bench import load
from bench.servers import fill, services
from tests.builders import NOW
from tests.fakes import FakeClock, FakeLine, FakeMeter, FakeProber, FakeWaker, a_waiting_room


def test_every_instance_is_given_without_a_probe(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    fill(url, 3, NOW)
    registry = SqlRegistry(Transactions(open_database(url)))
    prober = FakeProber()
    allocator = Allocator(
        quick_probers={DEFAULT_POOL: prober},
        terms={DEFAULT_POOL: TermsPolicy()},
        registry=registry,
        waker=FakeWaker(),
        clock=FakeClock(),
        line=FakeLine(),
        waiting_room=a_waiting_room(),
        meter=FakeMeter(),
        monotonic=monotonic,
    )

    given = [allocator.allocate(ProjectId(f"project-{number}"), actor="tester") for number in range(3)]

    assert all(claimed.created for claimed in given)
    assert prober.probed == []
    registry.close()


class Server(ThreadingHTTPServer):
    """Answers everything, and counts its connections."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0

    def process_request(self, *arguments: Any) -> None:
        self.connections += 1
        super().process_request(*arguments)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def closed(ports: tuple[int, ...], seconds: float = 0.1) -> load.Sample:
    return load.closed(ports, itertools.repeat("project"), connections=6, seconds=seconds)


def constant(ports: tuple[int, ...]) -> load.Sample:
    return load.constant(ports, itertools.repeat("project"), connections=6, seconds=0.1, rate=200)


@pytest.mark.parametrize("ask", [closed, constant])
def test_processes_share_the_load_evenly(ask: Callable[[tuple[int, ...]], load.Sample]) -> None:
    with ExitStack() as running:
        servers = [running.enter_context(serving()) for _ in range(3)]
        sample = ask(tuple(server.server_port for server in servers))

    assert [server.connections for server in servers] == [2, 2, 2]
    assert sample.latencies


def test_the_service_itself_answers_the_load(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    fill(url, 1, datetime.now(UTC))  # noqa: TID251 - the service has no other clock

    with services(1, url) as ports:
        sample = closed(ports, seconds=1)  # the first answers of a service take long on a busy machine

    assert sample.latencies
