"""SIGTERM ends the service in order: who asked is answered, the pass in hand is finished, nothing is left."""

import json
import signal
import socket
from pathlib import Path

import pytest

from tests.e2e.aws import SET_DESIRED
from tests.e2e.conftest import MakeCloud, MakeService
from tests.e2e.processes import DEADLINE, HOST, Program, Service, listens
from tests.waiting import until


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


def test_a_request_in_flight_is_answered(a_cloud: MakeCloud, a_service: MakeService) -> None:
    service = a_service(a_cloud(worker="none"))
    service.settled(idle=5)
    asked = HalfSent(service, next(iter(service.machines())))
    service.program.signal(signal.SIGTERM)
    until(lambda: not listens(service.port), what="the door to close")
    assert " 200 " in asked.answer()
    assert service.program.exit_code() == 0


def test_the_pass_in_hand_is_finished(a_cloud: MakeCloud, a_service: MakeService) -> None:
    cloud = a_cloud(worker="none")
    service = a_service(cloud, ORCHESTRATOR_POLL_INTERVAL="3600")
    service.settled(idle=5)
    cloud.fault(kind="delay", action=SET_DESIRED, seconds=1.5)
    service.allocate("late")
    until(lambda: cloud.calls.as_json()["counts"][SET_DESIRED] == 2, what="the top-up to be under way")
    assert service.terminate() == 0
    assert service.passes[-1]["scaling"] == "5 -> 6"
    assert cloud.sizes() == [0, 5, 6]


def test_open_connections_do_not_hold_it_up(a_cloud: MakeCloud, a_service: MakeService) -> None:
    service = a_service(a_cloud(), ORCHESTRATOR_POLLER="off")
    with socket.create_connection((HOST, service.port)):
        service.program.signal(signal.SIGTERM)
        assert service.program.exit_code(within=10) == 0
    assert not service.program.errors


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_scheduler_ends_after_the_pass_in_hand(
    ending: signal.Signals, a_cloud: MakeCloud, tmp_path: Path
) -> None:
    cloud = a_cloud(worker="none")
    settings = {**cloud.settings, "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{tmp_path}/registry.db"}
    cloud.fault(kind="delay", action=SET_DESIRED, seconds=1.0)
    with Program("scheduler.py", settings=settings) as scheduler:
        until(lambda: SET_DESIRED in cloud.calls.as_json()["counts"], within=DEADLINE, what="a pass")
        scheduler.signal(ending)
        assert scheduler.exit_code() == 0
        events = [line["event"] for line in scheduler.logs]
    assert events == ["poller.started", "pass.finished", "poller.stopped"]
    assert cloud.sizes() == [0, 5]
