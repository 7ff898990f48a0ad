"""Where an instance is reached: at an address of its own, or at a port of its own on the only one."""

import errno
import ipaddress
import os
import socket
from typing import NamedTuple, Protocol

PORT_TAG = "ec2-orchestrator:port"
"""The instance tag that tells clients a port other than the one they are configured with."""


class Place(NamedTuple):
    """Host and port of one instance's worker."""

    host: str
    port: int


class Addresses(Protocol):
    """Gives every new instance its place."""

    shared: bool
    """True when instances share one address, so that each must announce its port."""

    def place(self, private_address: str) -> Place | None:
        """Where the instance with this address is reached; None when it cannot be reached from here."""


class OwnAddresses:
    """Each instance answers on its own address and the same port, as on AWS. Linux routes all of 127/8."""

    shared = False

    def __init__(self, network: str, port: int) -> None:
        self._network = ipaddress.IPv4Network(network)
        self._port = port

    def place(self, private_address: str) -> Place | None:
        """Return the instance's own address, when it lies in our network."""
        inside = ipaddress.IPv4Address(private_address) in self._network
        return Place(private_address, self._port) if inside else None


class OneAddress:
    """All instances answer on 127.0.0.1, each on a port of its own: for macOS, where only that one is up."""

    shared = True

    def place(self, private_address: str) -> Place | None:  # noqa: ARG002 - the address moto gave is not reachable
        """Return 127.0.0.1 and a port that was free a moment ago."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return Place("127.0.0.1", probe.getsockname()[1])


def addresses(network: str, port: int, *, one_address: bool = False) -> Addresses:
    """Return the way this machine allows, found out by binding the network's first address once.

    Where only 127.0.0.1 is up (macOS), or something listens on the port at all addresses, instances share
    127.0.0.1 and have a port each. Raises OSError for anything else.
    """
    if one_address:
        return OneAddress()
    first = str(ipaddress.IPv4Network(network)[4])
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((first, port))
    except OSError as error:
        if error.errno in {errno.EADDRNOTAVAIL, errno.EADDRINUSE}:
            return OneAddress()
        raise OSError(
            error.errno, f"workers cannot listen on {first}:{port}: {os.strerror(error.errno or 0)}"
        ) from error
    return OwnAddresses(network, port)
