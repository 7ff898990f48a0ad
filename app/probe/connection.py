"""Connections that are waited for without a thread each."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address


@asynccontextmanager
async def connection(address: str, port: int) -> AsyncIterator[socket.socket]:
    """Yield a non-blocking connection, and close it. Raises OSError, or ValueError where there cannot be one.

    IPv4 addresses only, as EC2 tells them: nothing bounds how long it takes to look a name up.
    """
    IPv4Address(address)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connected:
        connected.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connected, (address, port))
        yield connected
