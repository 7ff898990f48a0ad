"""What the worker answers by itself; what clients make it answer stands in tests/e2e/test_bad_requests.py."""

import json
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from structlog.contextvars import get_contextvars, merge_contextvars
from structlog.testing import capture_logs

from app.web.worker import PatientWorker


@pytest.fixture
def worker() -> PatientWorker:
    worker: PatientWorker = object.__new__(PatientWorker)  # without the process that it would need
    worker.cfg = Config()
    return worker


def _answered(worker: PatientWorker, error: Exception) -> tuple[dict[str, Any], list[Any]]:
    client, ours = socket.socketpair()
    with client, ours, capture_logs() as lines:
        worker.handle_error(None, ours, ("192.0.2.7", 4711), error)
        answer = client.recv(65536)
    body: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return body, lines


@pytest.mark.parametrize("error", [KeyError("a secret of ours"), errors.InvalidResponseHeader("a secret")])
def test_what_is_our_fault_is_500_leaks_nothing_and_is_logged(
    worker: PatientWorker, error: Exception
) -> None:
    body, (line,) = _answered(worker, error)

    assert (body["status"], body["code"], line["event"]) == (500, "internal-error", "request.crashed")
    assert "secret" not in json.dumps(body)


def test_what_is_the_clients_is_logged_with_its_address(worker: PatientWorker) -> None:
    body, (line,) = _answered(worker, errors.InvalidRequestLine("x" * 4000))

    assert (body["status"], line["event"], line["address"]) == (400, "request.refused", "192.0.2.7")
    assert len(body["detail"]) < 300


def test_a_client_that_is_gone_hears_nothing_and_breaks_nothing(worker: PatientWorker) -> None:
    client, ours = socket.socketpair()
    client.close()

    with ours, capture_logs():
        worker.handle_error(None, ours, None, errors.InvalidRequestLine("x"))


def test_what_goes_wrong_around_the_application_has_the_id_of_its_request(worker: PatientWorker) -> None:
    request = SimpleNamespace(headers=[("X-REQUEST-ID", "caller:4711")])
    client, ours = socket.socketpair()
    with client, ours, capture_logs([merge_contextvars]) as lines:
        worker.handle_error(request, ours, ("192.0.2.7", 4711), ValueError("a bug"))
        head = client.recv(65536).partition(b"\r\n\r\n")[0]

    assert b"X-Request-ID: caller:4711" in head.splitlines()
    assert [line["request_id"] for line in lines] == ["caller:4711"]
    assert get_contextvars() == {}
