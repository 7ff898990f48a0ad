"""Threads that stay with a connection for a moment: who is served by that, and that nobody waits for it.

The moment has no end here, unless something ends it: what is not meant to wait for it would hang.
"""

import select
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from gunicorn.workers.gthread import TConn

from tests.unit.web.workers import ASKS, FOR_EVER, Work, at_work
from tests.waiting import until


def _names_its_thread(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    name = threading.current_thread().name.encode()
    start_response("200 OK", [("Content-Length", str(len(name)))])
    return [name]


def _answer(client: socket.socket) -> bytes:
    head, _, body = client.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK"), head
    return body


def _lingers(work: Work) -> bool:
    return len(work.worker.lingering) == len(work.connections)


def test_who_asks_again_at_once_is_served_by_the_same_thread_and_not_by_way_of_the_main_one() -> None:
    with at_work(_names_its_thread, threads=8) as work:
        client = work.connect()
        first = _answer(client)
        client.sendall(ASKS)

        assert _answer(client) == first


def test_a_newcomer_calls_a_thread_away_where_all_linger() -> None:
    with at_work(_names_its_thread, threads=1) as work:
        _answer(work.connect())
        until(lambda: _lingers(work), what="the only thread to linger")

        assert _answer(work.connect())


def test_who_was_left_for_a_newcomer_is_served_when_it_asks_again() -> None:
    with at_work(_names_its_thread, threads=1) as work:
        early = work.connect()
        _answer(early)
        until(lambda: _lingers(work), what="the only thread to linger")
        _answer(work.connect())
        early.sendall(ASKS)

        until(lambda: work.go_on() and _is_there(early), what="the answer")
        assert _answer(early)


def _is_there(client: socket.socket) -> bool:
    return bool(select.select([client], [], [], 0)[0])


def test_no_thread_lingers_while_somebody_waits_for_one() -> None:
    may_answer = threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        may_answer.wait()
        return _names_its_thread(environ, start_response)

    with at_work(slow, threads=1) as work:
        clients = [work.connect() for _ in range(3)]
        may_answer.set()

        assert all(_answer(client) for client in clients)


def test_a_newcomer_calls_nobody_away_where_a_thread_is_free() -> None:
    with at_work(_names_its_thread, threads=2) as work:
        client = work.connect()
        first = _answer(client)
        until(lambda: _lingers(work), what="the thread to linger")
        _answer(work.connect())
        client.sendall(ASKS)

        assert _answer(client) == first


def test_a_request_that_came_with_the_last_one_is_served_at_once() -> None:
    with at_work(_names_its_thread) as work:
        client = work.connect(ASKS + ASKS)

        until(lambda: client.recv(65536, socket.MSG_PEEK).count(b"HTTP/1.1 200 OK") == 2, what="two answers")


def test_a_request_costs_no_call_that_sets_a_limit_for_what_is_not_read() -> None:
    set_by: list[str] = []

    def note(_: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and function.__name__ in {"settimeout", "setblocking"}:
            set_by.append(function.__name__)

    with _profiled(note), at_work(_names_its_thread, linger=0.001) as work:
        client = work.connect()
        _answer(client)
        until(lambda: work.go_on() and work.worker.keepalived_conns, what="the connection to be kept")
        for_a_connection = len(set_by)
        client.sendall(ASKS)
        until(lambda: work.go_on() and _is_there(client), what="the answer")
        _answer(client)
        until(lambda: work.go_on() and work.worker.keepalived_conns, what="it to be kept again")

        assert for_a_connection
        assert not set_by[for_a_connection:]


@contextmanager
def _profiled(note: Any) -> Iterator[None]:
    """Have the threads that begin meanwhile, and this one, tell what they call."""
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def test_a_thread_leaves_a_client_that_leaves() -> None:
    with at_work(_names_its_thread) as work:
        client = work.connect()
        _answer(client)
        client.close()

        until(lambda: work.go_on() and work.worker.nr_conns == 0, what="the connection to be closed")


@pytest.mark.parametrize("sends", [b"GET / HTTP/1.0\r\n\r\n", ASKS[:-2] + b"Connection: close\r\n\r\n"])
def test_a_thread_does_not_stay_with_a_connection_that_ends_with_its_answer(sends: bytes) -> None:
    with at_work(_names_its_thread) as work:
        work.connect(sends)

        until(lambda: work.go_on() and work.worker.nr_conns == 0, what="the connection to be closed")


def test_no_thread_lingers_when_the_worker_is_to_stop() -> None:
    with at_work(_names_its_thread) as work:
        work.worker.handle_exit(None, None)
        work.connect()

        until(lambda: work.go_on() and work.worker.nr_conns == 0, what="the connection to be closed")


def test_a_silent_client_goes_back_to_the_main_thread_after_the_moment() -> None:
    with at_work(_names_its_thread, linger=0.001) as work:
        _answer(work.connect())

        until(
            lambda: work.go_on() and len(work.worker.keepalived_conns) == 1, what="the connection to be kept"
        )


def test_no_thread_stays_with_a_client_that_took_longer_the_last_time() -> None:
    may_answer = threading.Event()
    may_answer.set()

    def waits(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        may_answer.wait()
        return _names_its_thread(environ, start_response)

    with at_work(waits, linger=0.001) as work:
        client = work.connect()
        _answer(client)
        until(lambda: work.go_on() and len(work.worker.keepalived_conns) == 1, what="the moment to be over")
        may_answer.clear()
        client.sendall(ASKS)
        until(lambda: work.go_on() and not work.worker.keepalived_conns, what="the second request")
        work.worker.linger = FOR_EVER
        may_answer.set()
        _answer(client)

        until(lambda: work.go_on() and len(work.worker.keepalived_conns) == 1, what="the thread to be free")


def test_a_call_that_no_thread_was_left_to_hear_costs_one_lingering_and_no_more() -> None:
    with at_work(_names_its_thread, threads=2) as work:
        work.worker.bell.ring()
        _answer(work.connect())
        until(lambda: work.go_on() and len(work.worker.keepalived_conns) == 1, what="the thread to go")
        client = work.connect()
        first = _answer(client)
        client.sendall(ASKS)

        assert _answer(client) == first


def test_what_no_thread_can_be_found_for_is_counted_as_taken_by_none() -> None:
    with at_work(_names_its_thread, threads=1) as work:
        client = work.connect()
        _answer(client)
        client.close()
        until(lambda: work.go_on() and work.worker.nr_conns == 0, what="the connection to be closed")
        work.worker.tpool.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            work.connect()

        assert work.worker.taken == 0


def test_a_connection_of_tls_keeps_its_own_socket_at_the_second_request() -> None:
    with at_work(_names_its_thread) as work, _encrypted() as encrypted:
        connection = TConn(work.worker.cfg, encrypted, ("192.0.2.7", 4711), ("127.0.0.1", 443))
        work.worker.tpool.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            work.worker.enqueue_req(connection)

        assert connection.sock is encrypted


@contextmanager
def _encrypted() -> Iterator[ssl.SSLSocket]:
    there, here = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with there, context.wrap_socket(here, server_side=True, do_handshake_on_connect=False) as encrypted:
        yield encrypted
