"""The gunicorn worker: gthread, but a client that stops in the middle of a request loses its thread.

gunicorn gives a silent new connection back to its poller, and waits without limit for one that has begun to
send, or does not take its answer: eight such clients would take all eight threads, health checks included. A
client that sends or takes a byte now and then still holds one: put a buffering proxy in front of a public
address.

What cannot be read as HTTP never gets to the application; it is answered here, in the shape of all errors.
"""

import json
import os
import select
import socket
import ssl
import sys
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog
from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker
from werkzeug import exceptions
from werkzeug.exceptions import HTTPException

from app.web import problems, request_id
from app.web.connection import Connection

log = structlog.get_logger()

TURN = 0.002
"""Seconds that a thread may go on computing while others want to.

A pass may compute for half a second, in the same process. A request must take its turn again after each look
at the socket or the database, a dozen times: with Python's own 5 ms it could wait for as long as 60 ms.
"""


LINGER = 0.005
"""Seconds that a thread stays with a connection that was answered, where the client was as quick before."""


class _Bell:
    """Is heard by all threads that wait for it, until one of them silences it."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.pipe()
        os.set_blocking(self._ours, False)
        os.set_blocking(self._theirs, False)

    def fileno(self) -> int:
        """Return what can be read from while it rings."""
        return self._ours

    def ring(self) -> None:
        with suppress(BlockingIOError):  # it has long been ringing
            os.write(self._theirs, b"!")

    def silence(self) -> None:
        with suppress(BlockingIOError):  # somebody did it before
            os.read(self._ours, select.PIPE_BUF)

    def close(self) -> None:
        """Give it up; nobody waits for it any more."""
        os.close(self._ours)
        os.close(self._theirs)


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves like gthread, and waits for a client in the middle of a request for PATIENCE seconds at a time.

    A thread that has answered stays with its connection for LINGER seconds: a client that asks again at once
    is served without a way through the main thread. It does not stay with one that took longer the last time,
    and leaves as soon as another connection wants a thread and there is none: nobody waits for a client that
    may say nothing.
    """

    linger = LINGER

    def init_process(self) -> None:
        """Serve until the end, in short turns."""
        sys.setswitchinterval(TURN)
        super().init_process()

    def get_thread_pool(self) -> Any:
        """Make the threads, and what calls them away from where they linger."""
        self.bell = _Bell()
        self.taken = 0
        """Connections that threads have, or wait for one; the main thread alone counts them."""
        self.lingering: set[Any] = set()
        return super().get_thread_pool()

    def enqueue_req(self, conn: Any) -> None:
        """Put the limit on a new connection, and call for a thread where none is free."""
        if type(conn.sock) is socket.socket:  # and none of TLS, which has the limit by now
            conn.sock = Connection(conn.sock)
        elif isinstance(conn.sock, Connection):
            conn.sock.is_quick = monotonic() - conn.sock.answered_at < self.linger
        super().enqueue_req(conn)
        self.taken += 1
        # In this order, and in the other one in _is_asked_again: one of the two sees the other.
        if self.taken > self.cfg.threads and self.lingering:
            self.bell.ring()

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Take a connection back from a thread, or one that no thread got."""
        self.taken -= 1
        super().finish_request(conn, fs)

    def handle(self, conn: Any) -> Any:
        """Serve a request, and those that follow it at once."""
        kept = super().handle(conn)
        while kept is True and self._is_asked_again(conn):
            kept = super().handle(conn)
        return kept

    def _is_asked_again(self, conn: Any) -> bool:
        """Wait a moment for the next request of a connection, unless the thread is wanted elsewhere."""
        if not isinstance(conn.sock, Connection):
            return False
        conn.sock.answered_at = monotonic()
        if not conn.sock.is_quick:
            return False
        self.lingering.add(conn)
        try:
            if not self.alive or self.taken > self.cfg.threads:
                return False
            if conn.parser.unreader.buf.getvalue():
                return True  # it came with the last one, and the socket does not tell
            waits = select.poll()
            waits.register(conn.sock, select.POLLIN)
            waits.register(self.bell, select.POLLIN)
            told = {descriptor for descriptor, _ in waits.poll(self.linger * 1000)}
        finally:
            self.lingering.discard(conn)
        if self.bell.fileno() in told:
            self.bell.silence()
            return False
        return bool(told)

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Serve it under one id from here on: what goes wrong around the application has the same."""
        identity, req.headers = request_id.in_headers(req.headers)
        with request_id.OnEveryLine(identity), _InOnePiece(conn.sock):
            served: bool = super().handle_request(req, conn)
        return served

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what came to no application, or made it crash so that it has not answered itself."""
        identity, _ = request_id.in_headers(req.headers if req else ())
        with request_id.OnEveryLine(identity):
            self._refuse(client, addr[0] if addr else None, exc, identity)

    def _refuse(self, client: Any, address: str | None, exc: BaseException, identity: str) -> None:
        refusal = _refusal(exc, self.cfg)
        if refusal is None:
            body = problems.crash_body()
            log.error("request.crashed", exc_info=exc)
        else:
            body = problems.http_body(refusal)
            log.warning("request.refused", status=body["status"], detail=str(exc)[:_SHORT], address=address)
        with suppress(OSError):  # nobody listens any more
            util.write_nonblock(client, _written(body, identity))


_SHORT = 200


class _InOnePiece:
    """Sends the head of an answer together with the first piece of its body."""

    def __init__(self, connection: Any) -> None:
        """Take any connection; one of TLS is left as it is."""
        self._connection = connection if isinstance(connection, Connection) else None

    def __enter__(self) -> None:
        if self._connection is not None:
            self._connection.gather()

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if self._connection is None:
            return
        if failed is None:
            self._connection.end()
        else:
            self._connection.forget()


def _refusal(error: BaseException, limits: Any) -> HTTPException | None:
    """Return what HTTP calls an error of gunicorn's; None where it is not the client's fault."""
    match error:
        case errors.LimitRequestLine():
            return exceptions.RequestURITooLarge(
                f"The path with its query is too long: the line may have {limits.limit_request_line} bytes."
            )
        case errors.LimitRequestHeaders():
            return exceptions.RequestHeaderFieldsTooLarge(
                f"A request may have {limits.limit_request_fields} headers of "
                f"{limits.limit_request_field_size} bytes at most."
            )
        case errors.ExpectationFailed():
            return exceptions.ExpectationFailed("Nothing but '100-continue' can be expected.")
        case errors.UnsupportedTransferCoding():
            return exceptions.NotImplemented("The only transfer coding is 'chunked'.")
        case (
            errors.InvalidResponseHeader()
            | errors.InvalidResponseHeaderName()
            | errors.ConfigurationProblem()
        ):
            pass  # ours, and not the client's
        case errors.ParseException() | ssl.SSLError():
            return exceptions.BadRequest(f"This is not HTTP. {str(error)[:_SHORT]}.")
    return None


def _written(body: dict[str, object], identity: str) -> bytes:
    text = json.dumps(body).encode() + b"\n"
    head = (
        f"HTTP/1.1 {body['status']} {body['title']}\r\nConnection: close\r\nCache-Control: no-store\r\n"
        f"Content-Type: {problems.MEDIA}\r\nContent-Length: {len(text)}\r\n"
        f"{request_id.HEADER}: {identity}\r\n\r\n"
    )
    return head.encode() + text
