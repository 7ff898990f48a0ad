"""Requests that HTTP libraries never send: written by hand on a socket."""

import json
import socket
from typing import Any

import pytest

from tests.e2e.processes import HOST, Service
from tests.waiting import until

HEADERS = b"Host: localhost\r\nContent-Type: application/json\r\n"


def _sent(service: Service, *parts: bytes, half_closed: bool = False) -> bytes:
    """Send it, and read until the service closes the connection or has answered once."""
    with socket.create_connection((HOST, service.port), timeout=20) as client:
        client.sendall(b"".join(parts))
        if half_closed:
            client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(65536):
            answer += part
            head, found, body = answer.partition(b"\r\n\r\n")
            if found and len(body) >= int(_header(head, "content-length")):
                break
    return answer


def _header(head: bytes, name: str) -> str:
    lines = (line.partition(":") for line in head.decode().splitlines()[1:])
    return next(value.strip() for key, _, value in lines if key.lower() == name)


def _problem(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert _header(head, "content-type") == "application/problem+json"
    found: dict[str, Any] = json.loads(body)
    assert set(found) >= {"type", "title", "status", "detail", "code"}
    assert found["type"].endswith(found["code"])
    assert head.split()[1].decode() == str(found["status"])
    return found


def _holds(service: Service, project: str) -> bool:
    return service.http.get(f"/v1/allocations/{project}").status_code == 200


@pytest.mark.parametrize("came", [b"", b'{"ttl": 10}'])
def test_a_body_that_is_cut_off_is_400_and_allocates_nothing(service: Service, came: bytes) -> None:
    start = b"PUT /v1/allocations/cut-off HTTP/1.1\r\n" + HEADERS + b"Content-Length: 40\r\n\r\n"

    found = _problem(_sent(service, start, came, half_closed=True))

    assert (found["status"], found["code"]) == (400, "invalid-body")
    assert not _holds(service, "cut-off")


def test_a_client_that_dies_behind_the_headers_gets_nothing(service: Service) -> None:
    with socket.create_connection((HOST, service.port)) as client:
        client.sendall(b"PUT /v1/allocations/died HTTP/1.1\r\n" + HEADERS + b"Content-Length: 40\r\n\r\n")

    def logged() -> list[int]:
        return [line["status"] for line in service.logs if line.get("path") == "/v1/allocations/died"]

    until(lambda: bool(logged()), what="the request to be refused")
    assert logged() == [400]
    assert not _holds(service, "died")


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(b"ZZ\r\n", id="no number"),
        pytest.param(b"-5\r\n{}\r\n", id="a negative number"),
        pytest.param(b"2\r\n{}XX", id="no end of the chunk"),
        pytest.param(b"10\r\n{}", id="cut off"),
        pytest.param(b"2\r\n{}\r\n", id="no last chunk"),
    ],
)
def test_a_malformed_chunk_is_400_and_no_crash(service: Service, chunks: bytes) -> None:
    crashes = _crashes(service)
    start = b"PUT /v1/allocations/chunk HTTP/1.1\r\n" + HEADERS + b"Transfer-Encoding: chunked\r\n\r\n"

    found = _problem(_sent(service, start, chunks, half_closed=True))

    assert (found["status"], found["code"]) == (400, "invalid-body")
    assert not _holds(service, "chunk")
    assert _crashes(service) == crashes


def _crashes(service: Service) -> int:
    return sum(line["event"] == "request.crashed" for line in service.logs)


def test_chunks_that_are_right_are_read(service: Service) -> None:
    start = b"PATCH /v1/pools/default HTTP/1.1\r\n" + HEADERS + b"Transfer-Encoding: chunked\r\n\r\n"

    answer = _sent(service, start, b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        pytest.param(b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n", 414, "request-uri-too-long", id="a path"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
            *(431, "request-header-fields-too-large"),
            id="a header",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 200 + b"\r\n",
            *(431, "request-header-fields-too-large"),
            id="many headers",
        ),
        pytest.param(b"<script>\r\n\r\n", 400, "bad-request", id="no HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400, "bad-request", id="a header's name"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", 400, "bad-request", id="a version"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            *(400, "bad-request"),
            id="a length",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\n\r\n",
            *(417, "expectation-failed"),
            id="an expectation",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: wonders\r\n\r\n",
            *(501, "not-implemented"),
            id="a coding",
        ),
    ],
)
def test_what_cannot_be_read_as_http_is_a_problem_with_one_line_in_the_log(
    service: Service, request_: bytes, status: int, code: str
) -> None:
    before = len(service.logs)

    answer = _sent(service, request_)

    found = _problem(answer)
    assert (found["status"], found["code"]) == (status, code)
    assert b"Connection: close\r\n" in answer
    assert len(answer) < 1000

    def lines() -> list[dict[str, Any]]:
        return [line for line in service.logs[before:] if line.get("level") in {"warning", "error"}]

    until(lambda: bool(lines()), what="a line in the log")
    (line,) = lines()
    assert (line["event"], line["status"], line["address"]) == ("request.refused", status, HOST)


@pytest.mark.parametrize("path", [b"//status", b"///status", b"//two-slashes"])
def test_two_slashes_are_not_one(service: Service, path: bytes) -> None:
    answer = _sent(service, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert _problem(answer)["code"] == "not-found"
    assert not _holds(service, "two-slashes")
