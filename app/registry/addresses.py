"""Where a database server is: its name is looked up within a limit, which libpq does not know.

The system's resolver may take half a minute where no name server answers, as in just the outages that matter.
"""

import ipaddress
import socket
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import psycopg

MOST = 2
"""Addresses to try: each that is silent costs the time to connect."""

Resolver = Callable[..., list[tuple[Any, ...]]]


def located(
    arguments: Mapping[str, Any], seconds: float, resolve: Resolver = socket.getaddrinfo
) -> dict[str, Any]:
    """Return the arguments to connect with, and with the addresses of the host where it is a name.

    The name stays: certificates and password files are for it. Raises psycopg.OperationalError where it is
    unknown, or nobody tells within so many seconds.
    """
    host = arguments.get("host")
    if not isinstance(host, str) or not _is_name(host) or "hostaddr" in arguments:
        return dict(arguments)
    found = _look_up(host, seconds, resolve)
    return {**arguments, "host": ",".join([host] * len(found)), "hostaddr": ",".join(found)}


def _is_name(host: str) -> bool:
    """Whether it is one name, and neither an address, nor a socket's folder, nor a list."""
    if not host or host.startswith(("/", "@")) or "," in host:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def _look_up(host: str, seconds: float, resolve: Resolver) -> list[str]:
    answers: SimpleQueue[list[tuple[Any, ...]] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve(host, None, type=socket.SOCK_STREAM))
        except OSError as error:
            answers.put(error)

    Thread(target=ask, name="resolver", daemon=True).start()  # nothing else can end its wait
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise psycopg.OperationalError(f"nobody said within {seconds:g} s where {host} is") from None
    if isinstance(answer, OSError):
        raise psycopg.OperationalError(f"{host} is not known: {answer.strerror}") from answer
    return list(dict.fromkeys(info[4][0] for info in answer))[:MOST]
