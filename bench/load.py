"""The load: GET requests over keep-alive connections, from one thread, in a closed or an open model.

Written for this purpose because the machine under test also makes the load: a loop over raw sockets costs
some tens of microseconds a request, where a load generator with a scripting engine would take a core.
It needs nothing but the standard library, so that `make bench` runs wherever the service does.
"""

import itertools
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from selectors import EVENT_READ, SelectSelector
from types import MappingProxyType
from typing import Self

Ports = Sequence[int]
"""The servers that share the load, evenly: each gets every so many-th connection."""
Headers = Mapping[str, str]
NO_HEADERS: Headers = MappingProxyType({})
OK = b"HTTP/1.1 200 "
PATIENCE = 30.0
"""Seconds without any answer after which the server counts as stuck."""


@dataclass
class Sample:
    """What one stretch of load gave."""

    seconds: float = 0.0
    generator_seconds: float = 0.0
    """CPU time that the load itself took: it must stay far below `seconds`."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from the moment a request was due to the end of its answer."""

    def __add__(self, other: "Sample") -> "Sample":
        """Take two stretches for one."""
        return Sample(
            self.seconds + other.seconds,
            self.generator_seconds + other.generator_seconds,
            self.latencies + other.latencies,
        )

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency that this share of the requests did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Connection:
    """One keep-alive connection with at most one request on it."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        lines = {"Host": "localhost", **headers}
        self._rest = " HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in lines.items()) + "\r\n"
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._due = 0.0

    def ask(self, path: str, due: float) -> None:
        """Send a request that was to be sent at `due`."""
        self._due = due
        self._received = b""
        self.socket.sendall(f"GET /{path}{self._rest}".encode())

    def answered(self) -> float | None:
        """Take what has arrived; the latency once the answer is complete. Raises unless it is a 200."""
        piece = self.socket.recv(65536)
        self._received += piece
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not piece or not self._received.startswith(OK):
            raise RuntimeError(f"not an answer to measure: {self._received.decode(errors='replace')!r}")
        if not end or len(body) < _length(head):
            return None
        return time.perf_counter() - self._due


def closed(
    ports: Ports, paths: Iterator[str], *, connections: int, seconds: float, headers: Headers = NO_HEADERS
) -> Sample:
    """Ask on every connection again as soon as it has its answer: how much can the servers do?

    One answer at least is waited for, for PATIENCE at most.
    """
    with _Load(ports, connections, headers) as load:
        start = time.perf_counter()
        for connection in load.take_all():
            connection.ask(next(paths), start)
        while not load.has_any or time.perf_counter() - start < seconds:
            for connection in load.answers(PATIENCE):
                connection.ask(next(paths), time.perf_counter())
        return load.finish(start)


def constant(
    ports: Ports,
    paths: Iterator[str],
    *,
    connections: int,
    seconds: float,
    rate: float,
    headers: Headers = NO_HEADERS,
) -> Sample:
    """Ask at a constant rate, whatever the server does: how long does a caller wait?

    A request that finds no free connection waits for one, and that wait counts: nothing is left out.
    """
    with _Load(ports, connections, headers) as load:
        start = time.perf_counter()
        dues = deque(start + number / rate for number in range(int(seconds * rate)))
        free = deque(load.take_all())
        while dues or len(free) < connections:
            now = time.perf_counter()
            while dues and free and dues[0] <= now:
                free.popleft().ask(next(paths), dues.popleft())
            pause = max(dues[0] - now, 0.0) if dues and free else PATIENCE
            free.extend(load.answers(pause))
        return load.finish(start)


class _Load:
    """Some connections, and what came back on them."""

    def __init__(self, ports: Ports, connections: int, headers: Headers) -> None:
        shared = itertools.islice(itertools.cycle(ports), connections)
        self._all = [Connection(port, headers) for port in shared]
        self._selector = SelectSelector()  # epoll would round each wait up to a millisecond
        self._sample = Sample()
        self._cpu = time.process_time()
        for connection in self._all:
            self._selector.register(connection.socket, EVENT_READ, connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for connection in self._all:
            connection.socket.close()

    @property
    def has_any(self) -> bool:
        """Whether any answer has come."""
        return bool(self._sample.latencies)

    def take_all(self) -> list[Connection]:
        """Every connection."""
        return self._all

    def answers(self, pause: float) -> list[Connection]:
        """Wait for answers, at most so long; the connections that are free again."""
        ready = self._selector.select(pause)
        if not ready and pause >= PATIENCE:
            raise TimeoutError(f"no answer within {PATIENCE} s")
        free = []
        for key, _ in ready:
            latency = key.data.answered()
            if latency is not None:
                self._sample.latencies.append(latency)
                free.append(key.data)
        return free

    def finish(self, start: float) -> Sample:
        """Close the books; an answer that is still on its way is not counted."""
        self._sample.seconds = time.perf_counter() - start
        self._sample.generator_seconds = time.process_time() - self._cpu
        return self._sample


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise RuntimeError(f"an answer without a length: {head.decode(errors='replace')!r}")
