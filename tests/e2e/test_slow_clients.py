"""Clients that stop in the middle of a request do not take the service with them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from app.web.connection import PATIENCE
from tests.e2e.processes import DEADLINE, HOST, Service
from tests.waiting import until

THREADS = 8


@pytest.fixture
def stalled(service: Service) -> Iterator[Service]:
    """A service with a client in each of its threads that has sent half a request, and sends no more."""
    with ExitStack() as clients:
        for _ in range(THREADS):
            client = clients.enter_context(socket.create_connection((HOST, service.port)))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        yield service


def test_the_service_answers_again_when_its_patience_is_over(stalled: Service) -> None:
    def answers() -> bool:
        try:
            return httpx.get(f"{stalled.url}/healthz", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    until(answers, within=2 * PATIENCE + DEADLINE, what="the threads to be free again")
