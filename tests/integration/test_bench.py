"""What the benchmark prepares, a registry whose instances are as if probed all the time, and how it asks."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from app.domain.model import DEFAULT_POOL, ProjectId
from app.domain.terms import TermsPolicy
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.allocation import Allocator
from bench import k6, load
from bench.servers import Server, fill, service, yardstick
from tests.builders import NOW
from tests.fakes import FakeClock, FakeLine, FakeMeter, FakeProber, FakeWaker, a_waiting_room
from tests.waiting import until


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


class Counting(ThreadingHTTPServer):
    """Answers everything, and counts its connections."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self.asked: list[tuple[str, str | None]] = []

    def process_request(self, *arguments: Any) -> None:
        self.connections += 1
        super().process_request(*arguments)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Counting]:
    with Counting() as server:
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
        # A server may come to take a connection only after another's answer has ended it all.
        until(lambda: sum(server.connections for server in servers) == 6)

    assert [server.connections for server in servers] == [2, 2, 2]
    assert sample.latencies


@pytest.mark.parametrize("ask", [load.closed, load.constant])
def test_each_request_has_the_headers_that_it_is_given(ask: Callable[..., load.Sample]) -> None:
    how = {"rate": 100} if ask is load.constant else {}
    with serving() as server:
        ask(
            (server.server_port,),
            itertools.repeat("project"),
            connections=1,
            seconds=0.1,
            headers={"Authorization": "Bearer one"},
            **how,
        )

    assert set(server.asked) == {("/project", "Bearer one")}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service on one idle instance."""
    home = tmp_path_factory.mktemp("bench")
    url = f"sqlite:///{home}/registry.db"
    fill(url, 1, datetime.now(UTC))  # noqa: TID251 - the service has no other clock
    with service(home, url) as server:
        yield server


def of_the_service(running: Server, headers: load.Headers) -> load.Sample:
    paths = itertools.repeat("project")  # the first answers of a service take long on a busy machine
    return load.closed((running.port,), paths, connections=6, seconds=1, headers=headers)


def test_the_service_itself_answers_the_load(running: Server) -> None:
    assert of_the_service(running, running.headers).latencies


def test_the_service_is_guarded_while_it_is_measured(running: Server) -> None:
    with pytest.raises(RuntimeError, match="401"):
        of_the_service(running, load.NO_HEADERS)


def test_each_request_has_a_line_in_the_log_while_it_is_measured(running: Server) -> None:
    answered = len(of_the_service(running, running.headers).latencies)

    whole, _, _ = running.log.read_text().rpartition("\n")  # the answer to another may just be logged
    lines = [json.loads(line) for line in whole.splitlines()]
    told = [line for line in lines if line["event"] == "request.finished" and line["status"] == 200]
    assert len(told) >= answered
    assert told[-1]["actor"].startswith("token:bench-")


def test_the_bare_route_answers_what_an_allocation_answers(tmp_path: Path, running: Server) -> None:
    with yardstick(tmp_path) as bare:
        mine, theirs = (answer_of(server) for server in (running, bare))

    assert mine.keys() == theirs.keys()


def answer_of(server: Server) -> dict[str, Any]:
    request = Request(f"http://127.0.0.1:{server.port}/project", headers=dict(server.headers))
    with build_opener(ProxyHandler({})).open(request) as answer:
        said: dict[str, Any] = json.load(answer)
    return said


def test_k6_asks_for_a_new_project_each_time() -> None:
    with serving() as server:

        def requests(number: int) -> int:
            return k6.constant(
                f"http://127.0.0.1:{server.server_port}",
                {"Authorization": "Bearer one"},
                rate=20,
                seconds=1,
                projects=f"round-{number}",
            ).requests

        assert any(requests(number) >= 20 for number in range(10))  # not each time: the machine may be busy
    assert {header for _, header in server.asked} == {"Bearer one"}
    assert len({path for path, _ in server.asked}) == len(server.asked)


def test_k6_measures_nothing_that_is_refused(running: Server) -> None:
    with pytest.raises(RuntimeError, match="were not answered with 200"):
        k6.constant(f"http://127.0.0.1:{running.port}", {}, rate=5, seconds=1, projects="refused")
