"""Waiting in line, over two replicas on one PostgreSQL: who is served, how soon, and what of those who go.

The second replica serves alone: it can be killed without anybody having to follow as leader.
"""

import os
import signal
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from app.registry.schema import line, waiting
from tests.databases import plainly
from tests.e2e.aws import Aws
from tests.e2e.processes import DEADLINE, HOST, Service
from tests.postgres import a_server_of_ones_own
from tests.waiting import until

THREADS = 6
PLACES = THREADS // 2
SOON = 20.0
"""Seconds for what takes one or some on an idle machine, and less than anybody here waits in line."""


@dataclass
class Replicas:
    """A pool without a buffer, whose group has room for as many instances as are let in."""

    cloud: Aws
    database: str
    leader: Service
    other: Service
    threads: ThreadPoolExecutor
    room: int = 0
    projects: Iterator[str] = field(default_factory=lambda: (f"project-{n}" for n in range(1000)))

    @property
    def both(self) -> tuple[Service, Service]:
        return self.leader, self.other

    def in_line(self) -> list[str]:
        """The projects in line, as the database has them."""
        with plainly(self.database) as connection:
            now = datetime.now(UTC)  # noqa: TID251 - as the database, which runs beside this
            places = select(line.c.project).where(line.c.pool == "default", line.c.until > now)
            return list(connection.execute(places.order_by(line.c.id)).scalars())

    def form(self, *projects: str) -> None:
        """Wait until these stand in line, in this order.

        A place is lost for a moment where its replica has no time for three seconds to say that it is waited
        there still: so it may be on a busy machine.
        """
        until(lambda: self.in_line() == [*projects], SOON, what=f"{projects} to stand in line")

    def forget(self, project: str) -> None:
        """Wait until nothing is left of a place: one that was only lost is kept for half a minute."""
        with plainly(self.database) as connection:
            left = select(line.c.project).where(line.c.project == project)
            until(lambda: connection.execute(left).first() is None, SOON, what=f"{project} to be forgotten")

    def demand(self) -> list[str]:
        with plainly(self.database) as connection:
            return list(connection.execute(select(waiting.c.project)).scalars())

    def come(self, service: Service, project: str, wait: float = 60) -> "Future[httpx.Response]":
        """Send a request, and return once it stands in line."""

        def ask() -> httpx.Response:
            return httpx.get(f"{service.url}/{project}?wait={wait}", timeout=90, trust_env=False)

        answer = self.threads.submit(ask)
        until(lambda: project in self.in_line() or answer.done(), what=f"{project} to stand in line")
        return answer

    def hang(self, service: Service, project: str, headers: str = "") -> socket.socket:
        """Send one whose client can hang up, and return once it stands in line."""
        connection = socket.create_connection((HOST, service.port), timeout=DEADLINE)
        head = f"GET /{project}?wait=60 HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n"
        connection.sendall(head.encode())
        until(lambda: project in self.in_line(), what=f"{project} to stand in line")
        return connection

    def freeze(self, service: Service, number: signal.Signals) -> None:
        """Have all its processes stand still, or go on."""
        os.killpg(service.program._process.pid, number)

    def let_in(self, count: int = 1) -> None:
        """Let the group have so many more instances."""
        self.room += count
        self.cloud.control("PATCH", "group", max=self.room)

    def answered_at(self, service: Service, project: str) -> datetime:
        """When a request that waited was answered, by the service's log."""

        def told() -> str | None:
            lines = (line for line in service.logs if line.get("path") == f"/{project}")
            return next((str(line["timestamp"]) for line in lines), None)

        return datetime.fromisoformat(until(told) or "")

    def next(self) -> str:
        return next(self.projects)


@pytest.fixture(scope="module")
def _replicas() -> Iterator[Replicas]:
    with (
        a_server_of_ones_own() as server,
        Aws(worker="none", max_size=0, desired=0) as cloud,
        ThreadPoolExecutor(20) as threads,
    ):
        database = server.new_database("line")
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_BUFFER": "0",
            "ORCHESTRATOR_POLL_INTERVAL": "1",
            "ORCHESTRATOR_THREADS": str(THREADS),
            "ORCHESTRATOR_DATABASE_URL": database,
        }
        unused = Path("unused")
        with (
            Service(unused, settings) as leader,
            Service(unused, {**settings, "ORCHESTRATOR_POLLER": "off"}) as other,
        ):
            leader.start()
            other.start()
            until(lambda: leader.http.get("/readyz").status_code == 200, within=DEADLINE)
            yield Replicas(cloud, database, leader, other, threads)


@pytest.fixture
def replicas(_replicas: Replicas) -> Iterator[Replicas]:
    """Both of them, with nobody in line."""
    until(lambda: not _replicas.in_line(), what="the line to be empty")
    for service in _replicas.both:
        if not service.running:
            service.start()
    yield _replicas
    until(lambda: not _replicas.in_line(), what="the line to be empty")


def test_who_came_first_is_served_first_whichever_replica_it_came_to(replicas: Replicas) -> None:
    projects = [replicas.next() for _ in range(6)]
    answers = [replicas.come(replicas.both[number % 2], project) for number, project in enumerate(projects)]
    replicas.form(*projects)

    for served in range(1, 7):
        replicas.let_in()
        until(lambda: sum(one.done() for one in answers) == served, within=SOON)  # noqa: B023
        assert all(one.result().status_code == 200 for one in answers[:served])

    assert len({one.result().json()["machineId"] for one in answers}) == 6


def test_who_waits_is_served_within_a_second_of_an_instance_becoming_idle(replicas: Replicas) -> None:
    took: list[timedelta] = []
    for number in range(5):
        service, project = replicas.both[number % 2], replicas.next()
        answer = replicas.come(service, project)
        replicas.let_in()
        machine = answer.result(timeout=SOON).json()["machineId"]
        events = replicas.leader.http.get("/v1/events", params={"instance": machine}).json()["items"]
        idle = next(one for one in events if one["kind"] == "instance.idle")
        took.append(replicas.answered_at(service, project) - datetime.fromisoformat(idle["at"]))

    assert sorted(took)[2] < timedelta(seconds=1), took


def test_a_client_that_hangs_up_leaves_neither_a_place_nor_an_allocation(replicas: Replicas) -> None:
    gone, patient = replicas.next(), replicas.next()
    connection = replicas.hang(replicas.other, gone)
    answer = replicas.come(replicas.leader, patient)

    connection.close()

    replicas.forget(gone)
    replicas.form(patient)
    assert gone not in replicas.demand()
    replicas.let_in()
    assert answer.result(timeout=SOON).status_code == 200
    assert replicas.leader.http.get(f"/v1/allocations/{gone}").status_code == 404

    def told() -> list[str]:
        return [one["project"] for one in replicas.other.logs if one["event"] == "request.abandoned"]

    until(told, what="the line in the log")
    assert told() == [gone]


LEFT_OVER = {
    "another request": ("", b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"),
    "an empty line": ("", b"\r\n"),
    "a body that comes later": ("Content-Type: application/json\r\nContent-Length: 2\r\n", b"{}"),
}


@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(("headers", "unread"), LEFT_OVER.values(), ids=LEFT_OVER)
def test_a_client_that_hangs_up_is_seen_to_go_whatever_else_it_sent(
    replicas: Replicas, headers: str, unread: bytes, *, resets: bool
) -> None:
    project = replicas.next()
    connection = replicas.hang(replicas.leader, project, headers)
    connection.sendall(unread)
    if resets:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    connection.close()

    replicas.forget(project)


def test_a_client_that_stops_waiting_leaves_no_place(replicas: Replicas) -> None:
    project = replicas.next()
    answer = replicas.come(replicas.other, project, wait=1)

    assert answer.result(timeout=SOON).status_code == 503
    assert replicas.in_line() == []
    assert project in replicas.demand()


def test_who_asks_again_stands_where_it_stood(replicas: Replicas) -> None:
    patient, other = replicas.next(), replicas.next()
    in_vain = replicas.come(replicas.other, patient, wait=1)
    answer = replicas.come(replicas.leader, other)
    assert in_vain.result(timeout=SOON).status_code == 503
    assert patient not in replicas.in_line()

    again = replicas.come(replicas.leader, patient)

    replicas.form(patient, other)
    replicas.let_in()
    assert again.result(timeout=SOON).status_code == 200
    replicas.let_in()
    assert answer.result(timeout=SOON).status_code == 200


def test_a_killed_replica_holds_nobody_up(replicas: Replicas) -> None:
    lost = [replicas.come(replicas.other, replicas.next()) for _ in range(2)]
    patient = replicas.next()
    answer = replicas.come(replicas.leader, patient)

    replicas.other.kill9()

    replicas.form(patient)
    replicas.let_in()
    assert answer.result(timeout=SOON).status_code == 200
    assert all(isinstance(one.exception(timeout=SOON), httpx.TransportError) for one in lost)


def test_a_frozen_replica_holds_nobody_up_and_has_its_places_again_when_it_goes_on(
    replicas: Replicas,
) -> None:
    stood_still = replicas.next()
    frozen = replicas.come(replicas.other, stood_still)
    first, second = replicas.next(), replicas.next()
    answers = [replicas.come(replicas.leader, project) for project in (first, second)]

    replicas.freeze(replicas.other, signal.SIGSTOP)
    replicas.form(first, second)
    replicas.let_in()
    assert answers[0].result(timeout=SOON).status_code == 200
    replicas.freeze(replicas.other, signal.SIGCONT)
    replicas.form(stood_still, second)

    replicas.let_in(2)
    assert [one.result(timeout=SOON).status_code for one in (answers[1], frozen)] == [200, 200]


def test_a_replica_that_ends_sends_those_away_who_wait(replicas: Replicas) -> None:
    answer = replicas.come(replicas.other, replicas.next())

    replicas.other.http.close()
    replicas.other.program.signal(signal.SIGTERM)

    assert answer.result(timeout=SOON).status_code == 503
    assert replicas.in_line() == []
    assert replicas.other.program.exit_code() == 0


def test_a_newer_request_elsewhere_takes_the_place_of_the_older(replicas: Replicas) -> None:
    project = replicas.next()
    older = replicas.come(replicas.other, project)
    newer = replicas.threads.submit(
        lambda: httpx.get(f"{replicas.leader.url}/{project}?wait=60", timeout=90, trust_env=False)
    )

    assert older.result(timeout=SOON).status_code == 503
    assert "newer request of the same project" in older.result().json()["detail"]
    replicas.let_in()
    assert newer.result(timeout=SOON).status_code == 200


def test_those_who_wait_keep_threads_free_for_all_others(replicas: Replicas) -> None:
    answers = [replicas.come(replicas.other, replicas.next()) for _ in range(PLACES)]

    refused = replicas.other.http.get(f"/{replicas.next()}?wait=60")

    assert refused.status_code == 503
    assert "as many do already as may" in refused.json()["detail"]
    for path in ("/healthz", "/status", "/v1/pools"):
        assert replicas.other.http.get(path).status_code == 200
    assert not any(one.done() for one in answers)
    replicas.let_in(PLACES)
    assert [one.result(timeout=SOON).status_code for one in answers] == [200] * PLACES


def test_who_is_refused_learns_how_long_it_will_take(replicas: Replicas) -> None:
    full = replicas.other.http.get(f"/{replicas.next()}")
    assert (full.status_code, full.json()["estimatedWaitSeconds"]) == (503, None)
    replicas.let_in(100)
    until(lambda: replicas.leader.status()["limitedBy"] is None, within=SOON)

    def estimate() -> int | None:
        answer = replicas.other.http.get(f"/{replicas.next()}")
        if answer.status_code == 200:
            return None
        found: int | None = answer.json()["estimatedWaitSeconds"]
        assert found is None or int(answer.headers["Retry-After"]) == max(1, min(found, 30))
        return found

    assert 0 < (until(estimate, within=SOON) or 0) <= SOON
