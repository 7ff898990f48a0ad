"""How an answer goes to its client: the head together with what follows it, in one call of the kernel.

The connections here keep what was sent by one call apart from what was sent by the next.
"""

import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.unit.web.workers import ASKS, Wsgi, at_work

HEAD_ONLY = ASKS.replace(b"GET", b"HEAD")


def _app(*pieces: bytes, status: str = "200 OK", length: int | None = None) -> Wsgi:
    headers = [] if length is None else [("Content-Length", str(length))]

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response(status, headers)
        return iter(pieces)

    return app


def _sent(app: Wsgi, pieces: int, asks: bytes = ASKS) -> list[bytes]:
    with at_work(app) as work:
        client = work.connect(asks, socket.SOCK_SEQPACKET)
        return [client.recv(1 << 20) for _ in range(pieces)]


def test_head_and_body_are_sent_together() -> None:
    (whole,) = _sent(_app(b"body", length=4), 1)

    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize(
    ("app", "asks"),
    [
        (_app(b"", length=4), HEAD_ONLY),
        (_app(status="204 No Content"), ASKS),
        (_app(status="304 Not Modified"), ASKS),
        (_app(length=0), ASKS),
        (_app(b"", length=0), ASKS),
    ],
)
def test_an_answer_without_a_body_is_sent(app: Wsgi, asks: bytes) -> None:
    (whole,) = _sent(app, 1, asks)

    assert whole.startswith(b"HTTP/1.1 ")
    assert whole.endswith(b"\r\n\r\n")


def test_an_answer_in_pieces_is_sent_piece_by_piece_as_they_are_made() -> None:
    first, second = _sent(_app(b"one", b"two", length=6), 2)

    assert first.endswith(b"\r\n\r\none")
    assert second == b"two"


def test_an_answer_of_unknown_length_comes_to_its_end() -> None:
    first, second, end = _sent(_app(b"one", b"two"), 3)

    assert first.endswith(b"\r\n\r\n3\r\none\r\n")
    assert (second, end) == (b"3\r\ntwo\r\n", b"0\r\n\r\n")


def test_a_file_comes_behind_its_head(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"of the disk")

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Length", "11")])
        return environ["wsgi.file_wrapper"](file.open("rb"))

    assert b"".join(_sent(app, 2)).endswith(b"\r\n\r\nof the disk")


def test_what_is_no_file_of_the_disk_is_sent_as_well() -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("Content-Length", "9")])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"of memory"))

    (whole,) = _sent(app, 1)

    assert whole.endswith(b"\r\n\r\nof memory")


def test_a_crash_before_the_first_piece_is_answered_once() -> None:
    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        raise KeyError("a bug")

    with capture_logs():
        (answer,) = _sent(app, 1)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_crash_between_the_pieces_ends_the_connection() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise KeyError("a bug")

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "6")])
        return pieces()

    begun, end = _sent(app, 2)

    assert begun.endswith(b"\r\n\r\none")
    assert end == b""


def test_who_waits_to_be_told_to_go_on_is_told_so_first() -> None:
    asks = b"POST /some HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody"

    told, answer = _sent(_app(b"done", length=4), 2, asks)

    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.endswith(b"\r\n\r\ndone")


def test_two_answers_do_not_run_into_each_other() -> None:
    first, second = _sent(_app(b"body", length=4), 2, ASKS + ASKS)

    assert first.count(b"HTTP/1.1") == second.count(b"HTTP/1.1") == 1
