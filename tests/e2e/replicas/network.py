"""The network between a replica and its database: a TCP proxy that can be cut, mended and reset."""

import asyncio
import socket
import struct
from collections.abc import Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, Self, TypeVar

from tests.e2e.processes import HOST

CHUNK = 1 << 16

T = TypeVar("T")


class Network:
    """Runs links, in one thread of its own. A context manager: at its end all of them are closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._links: list[Link] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for link in self._links:
            self.run(link.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def link(self, target: int) -> "Link":
        """Listen on a port of its own, and carry what comes there to port `target`, and back."""
        link = Link(self, target)
        self.run(link.open())
        self._links.append(link)
        return link

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        """Do something in the thread of the network; what came of it."""
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(timeout=30)


class Link:
    """One way to the database.

    Where it is cut, bytes are held in both directions, and so is the end of a connection. Open connections
    stay open; new ones are accepted, and hear nothing. When it is mended, all that was held arrives: late, as
    what TCP sends again does. One thing it cannot imitate: what is held counts as received, so that no
    kernel gives a connection up.
    """

    def __init__(self, network: Network, target: int) -> None:
        self._network = network
        self._target = target
        self._whole = asyncio.Event()
        self._whole.set()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    def cut(self) -> None:
        """Let nothing through from now on."""
        self._network.run(self._let_through(whole=False))

    def mend(self) -> None:
        """Let everything through again."""
        self._network.run(self._let_through(whole=True))

    def reset(self) -> None:
        """Break the connections there are; new ones may be made at once."""
        self._network.run(self._hang_up())

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._hang_up()

    async def _let_through(self, *, whole: bool) -> None:
        if whole:
            self._whole.set()
        else:
            self._whole.clear()

    async def _hang_up(self) -> None:
        open_now = list(self._connections)
        for connection in open_now:
            connection.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._whole.wait()
            await self._carry(reader, writer)
        except OSError:
            pass  # the database is down
        except asyncio.CancelledError:
            at_once = struct.pack("ii", 1, 0)
            with suppress(OSError):  # it is closed already
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, thither = await asyncio.open_connection(HOST, self._target)
        ways = [
            asyncio.ensure_future(self._pump(reader, thither)),
            asyncio.ensure_future(self._pump(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(_finish(writer), _finish(thither))
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            thither.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        await self._whole.wait()  # nobody hears of an end, either


async def _finish(writer: asyncio.StreamWriter) -> None:
    """Let what is written go out, for a second at most."""
    writer.close()
    with suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), timeout=1)
