"""WebhookSender: one POST for each message, to an address that was judged before.

By http.client and not by urllib3: the socket is made here, so that nothing between asks for the name again.
"""

import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from threading import Timer
from time import monotonic
from typing import Self
from urllib.parse import urlsplit

from app.ports import Answer, Clock
from app.webhook import signature
from app.webhook.addresses import Lookup, Refused, addresses, look_up

CONNECT = 5.0
"""Seconds to connect to one address."""
WHOLE = 15.0
"""Seconds for all of one attempt, however slowly the other side sends."""
_READ = 1024
"""Bytes of an answer's body that are read: nothing in it is of interest."""
_AWAY = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class WebhookSender:
    """The Sender port. It follows no redirect, uses no proxy, and trusts no certificate that does not fit.

    Each attempt has a connection of its own, and `whole` seconds in all; only the system's search for a name
    is not bounded by us. What went wrong is told without the path of the URL, which may be a secret.
    """

    def __init__(
        self,
        url: str,
        secrets: Sequence[bytes],
        *,
        clock: Clock,
        link_local: bool = False,
        lookup: Lookup = look_up,
        connect: float = CONNECT,
        whole: float = WHOLE,
        context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        """Take a URL that the settings have let pass. `context` says whose certificates are trusted."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._named = parts.netloc
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secrets = tuple(secrets)
        self._clock = clock
        self._link_local = link_local
        self._lookup = lookup
        self._connect = connect
        self._whole = whole
        self._context = context() if parts.scheme == "https" else None

    def send(self, message: str, body: str) -> Answer:
        """See Sender.send."""
        try:
            return self._sent(message, body)
        except Exception as error:  # noqa: BLE001 - whatever the other side may have thought of
            return self._away(f"does not answer: {_said(error)}")

    def _sent(self, message: str, body: str) -> Answer:
        content = body.encode()
        headers = {
            "Host": self._named,
            "Content-Type": "application/json",
            "User-Agent": "ec2-orchestrator",
            "Connection": "close",
            **signature.headers(self._secrets, message, content, at=self._clock.now()),
        }
        try:
            found = addresses(self._host, self._port, link_local=self._link_local, lookup=self._lookup)
        except Refused as refused:
            return self._away(f"is refused: {refused}")
        except (OSError, UnicodeError) as error:
            return self._away(f"cannot be found: {_said(error)}")
        with _Line(self._whole) as line:
            try:
                line.connect(found, self._port, self._connect)
                if self._context is not None:
                    line.secure(self._context, self._host.rstrip("."))
                return self._exchange(line, content, headers)
            except (OSError, HTTPException, ValueError) as error:
                late = f"took longer than {self._whole:g} s" if line.cut else _said(error)
                return self._away(f"does not answer: {late}")

    def _exchange(self, line: "_Line", content: bytes, headers: dict[str, str]) -> Answer:
        connection = HTTPConnection(self._host, self._port)
        connection.sock = line.socket
        connection.request("POST", self._target, body=content, headers=headers)
        with connection.getresponse() as response:
            if line.cut:  # http.client takes the end of the line for the end of the head
                raise TimeoutError
            with suppress(OSError, HTTPException):  # the status says it all
                response.read(_READ)
            status = response.status
            wish = self._wish(response.headers.get("Retry-After"))
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Answer(taken=True)
        moved = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
        return Answer(
            taken=False,
            error=f"{self._host} answered {status}{', and redirects are not followed' if moved else ''}",
            away=status in _AWAY,
            gone=status == HTTPStatus.GONE,
            wish=wish,
        )

    def _wish(self, text: str | None) -> timedelta | None:
        """Read Retry-After: seconds, or a date. None where it is neither."""
        if text is None:
            return None
        if text.isascii() and text.isdigit():
            return timedelta(seconds=min(int(text[:9]), 10**8))
        try:
            date = parsedate_to_datetime(text)
            date = date if date.tzinfo else date.replace(tzinfo=UTC)
            return max(timedelta(), date - self._clock.now())
        except Exception:  # noqa: BLE001 - of a date that somebody else wrote anything can come
            return None

    def _away(self, what: str) -> Answer:
        return Answer(taken=False, error=f"{self._host} {what}", away=True)


class _Line:
    """One connection, which is cut off when its time is over. A context manager: it ends with its block."""

    def __init__(self, seconds: float) -> None:
        self.cut = False
        """Whether it was cut off."""
        self.socket: socket.socket | None = None
        self._end = monotonic() + seconds
        self._timer = Timer(seconds, self._cut_off)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self.socket is not None:
            self.socket.close()

    def connect(self, found: Sequence[str], port: int, patience: float) -> None:
        """Connect to the first of these addresses that lets us."""
        trouble: OSError | None = None
        for address in found:
            left = min(patience, self._end - monotonic())
            if left <= 0:
                break
            try:
                self.socket = socket.create_connection((address, port), left)
            except OSError as error:
                trouble = error
            else:
                self.socket.settimeout(max(0.001, self._end - monotonic()))
                return
        raise trouble or TimeoutError

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from now on, with whoever proves to be this host."""
        if self.socket is None:
            raise OSError("not connected")
        secured = context.wrap_socket(self.socket, server_hostname=host, do_handshake_on_connect=False)
        self.socket = secured  # before the handshake, which can be slow as well
        secured.do_handshake()

    def _cut_off(self) -> None:
        self.cut = True
        with suppress(OSError):
            if self.socket is not None:
                # Not that of ssl, which another thread must not use meanwhile.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


def _said(error: Exception) -> str:
    """Say what went wrong in words of ours or of the system: never in those that the other side sent."""
    match error:
        case RemoteDisconnected():
            return "it hung up"
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not good: {error.verify_message}"
        case OSError():
            return error.strerror or type(error).__name__
        case HTTPException():
            return "it does not speak HTTP"
        case _:
            return type(error).__name__
