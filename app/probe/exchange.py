"""One HTTP GET, of whose answer no more is read than its head.

Written out, because of what it costs: a thousand probes by http.client take three times the CPU of these, by
urllib3 six times, and they share their process with claims.
"""

import asyncio
import io
import re
from dataclasses import dataclass
from http.client import parse_headers

from app.probe.connection import connection

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LONGEST_HEAD = 16 * 1024
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer."""

    status: int
    head: bytes

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


async def get(address: str, port: int, target: str) -> Answer:
    """Return the answer to one request on a connection of its own. It takes as long as the other side likes.

    Raises OSError where there is no connection, ValueError where the answer is not HTTP or breaks off.
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
        head = b""
        while not _BLANK_LINE.search(head):
            received = await loop.sock_recv(connected, _AT_ONCE)
            if not received or len(head) > _LONGEST_HEAD:
                raise ValueError("the head of the answer does not end")
            head += received
    status_line = _STATUS_LINE.match(head)
    if status_line is None:
        raise ValueError("the answer is not HTTP/1")
    return Answer(int(status_line[1]), head)
