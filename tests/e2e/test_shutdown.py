"""SIGTERM ends the service in order: who asked is answered, the pass in hand is finished, nothing is left."""

import json
import signal
import socket
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.aws import SET_DESIRED, Aws
from tests.e2e.processes import DEADLINE, HOST, Service
from tests.waiting import until

RARELY = {"ORCHESTRATOR_POLL_INTERVAL": "3600"}


class HalfSent:
    """A POST /destroy that the service has begun to serve, and whose body is still to come."""

    def __init__(self, service: Service, machine: str) -> None:
        self._body = json.dumps({"machineId": machine}).encode()
        self._connection = socket.create_connection((HOST, service.port), timeout=DEADLINE)
        head = (
            f"POST /destroy HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(self._body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        self._connection.sendall(head.encode())
        assert b" 100 " in self._connection.recv(4096)

    def answer(self) -> str:
        """Send the rest; the first line of the answer."""
        self._connection.sendall(self._body)
        with self._connection, self._connection.makefile("r") as answer:
            return answer.read().partition("\n")[0]


@dataclass(frozen=True)
class Ended:
    """How a service ended that got SIGTERM in the middle of a pass and of a request."""

    answer: str
    exit_code: int
    errors: list[str]
    passes: list[dict[str, Any]]
    sizes: list[int]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    database = tmp_path_factory.mktemp("shutdown") / "registry.db"
    with Aws(worker="none") as cloud, Service(database, {**cloud.settings, **RARELY}) as service:
        service.start()
        service.settled(idle=5)
        cloud.fault(kind="delay", action=SET_DESIRED, seconds=1.5)
        machine = service.allocate("the-last-one")["machineId"]
        asked = HalfSent(service, machine)
        until(lambda: cloud.asked(SET_DESIRED, DesiredCapacity="6"), what="the top-up to be under way")
        service.http.close()  # it would be waited for
        service.program.signal(signal.SIGTERM)
        until(lambda: any("Handling signal: term" in line.get("detail", "") for line in service.program.logs))
        answer = asked.answer()
        code = service.program.exit_code()
        return Ended(answer, code, service.program.errors, service.passes, cloud.sizes())


def test_a_request_in_flight_is_answered(ended: Ended) -> None:
    assert " 200 " in ended.answer


def test_the_pass_in_hand_is_finished(ended: Ended) -> None:
    assert "5 -> 6" in {line["scaling"] for line in ended.passes}
    assert ended.sizes[:3] == [0, 5, 6]


def test_it_exits_without_a_complaint_and_no_process_is_left(ended: Ended) -> None:
    """The exit code was waited for together with the pipes that all its processes hold."""
    assert ended.exit_code == 0
    assert ended.errors == []
