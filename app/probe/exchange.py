"""One HTTP GET, of whose answer no more is read than its head, and a short body where it is wanted.

Written out, because of what it costs: a thousand probes by http.client take three times the CPU of these, by
urllib3 six times, and they share their process with claims.
"""

import asyncio
import io
import re
import socket
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import parse_headers

from app.probe.connection import connection

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,9})[ \t]*\r?$")
_DATE = re.compile(rb"(?im)^date:[ \t]*([!-~][ -~]*?)[ \t]*\r?$")
_LONGEST_HEAD = 16 * 1024
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer, and its body where that was wanted."""

    status: int
    head: bytes
    body: bytes = b""

    @property
    def succeeded(self) -> bool:
        """Whether the status is any 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - any 2xx

    @property
    def location(self) -> str | None:
        """Where the page is instead, as the header says."""
        lines = io.BytesIO(self.head)
        lines.readline()  # the status line
        location = parse_headers(lines).get("Location")
        # The parser takes each byte for a character; who sends others than ASCII means UTF-8.
        return location and location.encode("iso-8859-1").decode(errors="replace")

    @property
    def date(self) -> datetime | None:
        """What time the other side says it is; None: it does not say."""
        date = _DATE.search(self.head)
        if date is None:
            return None
        try:
            told = parsedate_to_datetime(date[1].decode("ascii"))
        except ValueError:
            return None
        return None if told.tzinfo is None else told


async def get(address: str, port: int, target: str, *, most: int | None = None) -> Answer:
    """Return the answer to one request on a connection of its own. It takes as long as the other side likes.

    With its body where `most` says how long that may be. Raises OSError where there is no connection,
    ValueError where the answer is not HTTP, breaks off, or is longer.
    """
    request = (
        f"GET {target} HTTP/1.1\r\n"
        f"Host: {address}:{port}\r\n"
        "User-Agent: ec2-orchestrator\r\n"
        "Accept: */*\r\n"
        "Connection: close\r\n"  # code-server takes an open connection for a sign of use
        "\r\n"
    )
    loop = asyncio.get_running_loop()
    async with connection(address, port) as connected:
        await loop.sock_sendall(connected, request.encode("ascii"))
        received = b""
        while not (blank := _BLANK_LINE.search(received)):
            more = await loop.sock_recv(connected, _AT_ONCE)
            if not more or len(received) > _LONGEST_HEAD:
                raise ValueError("the head of the answer does not end")
            received += more
        status_line = _STATUS_LINE.match(received)
        if status_line is None:
            raise ValueError("the answer is not HTTP/1")
        status = int(status_line[1])
        if most is None:
            return Answer(status, received)
        head, body = received[: blank.end()], received[blank.end() :]
        return Answer(status, head, await _rest(connected, head, body, most))


async def _rest(connected: socket.socket, head: bytes, body: bytes, most: int) -> bytes:
    """Read the body to its end: as long as the head says, or else until the other side closes."""
    told = _LENGTH.search(head)
    length = None if told is None else int(told[1])
    if length is not None and length > most:
        raise ValueError("the body is too long")
    loop = asyncio.get_running_loop()
    while length is None or len(body) < length:
        more = await loop.sock_recv(connected, _AT_ONCE)
        if not more:
            break
        body += more
        if len(body) > most:
            raise ValueError("the body is too long")
    if length is not None and len(body) != length:
        raise ValueError("the body breaks off, or goes on")
    return body
