"""Where a name leads, asked once: who connects takes the address that was judged, and does not ask again.

Otherwise a name server could give a good address for the judgement and a bad one for the connection.
"""

import socket
from collections.abc import Callable, Sequence

from app.domain.addresses import address_of, objection

Lookup = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a name, the best first. Raises OSError."""

MOST = 8
"""Addresses of one name that are tried at most."""


class Refused(Exception):
    """This is not to be connected to."""


def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


def addresses(host: str, port: int, *, link_local: bool, lookup: Lookup = look_up) -> Sequence[str]:
    """Return the addresses that a host has, each of them fit to be connected to.

    Raises Refused where one is not, whatever the others are, and OSError where there is none.
    """
    found = lookup(host, port)
    for text in found:
        address = address_of(text)
        if address is None:
            raise Refused("it has an address that cannot be read")
        reason = objection(address, link_local=link_local)
        if reason is not None:
            raise Refused(f"it leads to {text}, and {reason}")
    if not found:
        raise OSError("it has no address")
    return found[:MOST]
