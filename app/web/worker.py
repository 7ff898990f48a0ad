"""The gunicorn worker: gthread, but a client that stops in the middle of a request loses its thread.

gunicorn gives a silent new connection back to its poller, and waits without limit for one that has begun to
send: eight such clients would take all eight threads, health checks included. A client that keeps sending a
byte now and then still holds one: put a buffering proxy in front of a public address.

What cannot be read as HTTP never gets to the application; it is answered here, in the shape of all errors.
"""

import errno
import json
import socket
import ssl
import struct
from contextlib import suppress
from typing import Any

import structlog
from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker
from werkzeug import exceptions
from werkzeug.exceptions import HTTPException

from app.web import problems, request_id

log = structlog.get_logger()

PATIENCE = 10
"""Seconds without a byte in the middle of a request."""


class _Connection(socket.socket):
    """A client's socket that takes a long silence for a closed connection, which gunicorn knows to end."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        try:
            return super().recv(size, flags)
        except BlockingIOError as error:
            raise ConnectionResetError(errno.ECONNRESET, "nothing came for too long") from error


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves like gthread, and waits for the rest of a request for PATIENCE seconds at a time."""

    def enqueue_req(self, conn: Any) -> None:
        """Put the limit on a connection before a thread gets it."""
        if not isinstance(conn.sock, _Connection):
            conn.sock = _Connection(fileno=conn.sock.detach())
            # The kernel's own limit: gunicorn switches Python's on and off between requests.
            limit = struct.pack("ll", PATIENCE, 0)
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Serve it under one id from here on: what goes wrong around the application has the same."""
        identity, req.headers = request_id.in_headers(req.headers)
        with request_id.on_every_line(identity):
            served: bool = super().handle_request(req, conn)
        return served

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what came to no application, or made it crash so that it has not answered itself."""
        identity, _ = request_id.in_headers(req.headers if req else ())
        with request_id.on_every_line(identity):
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
