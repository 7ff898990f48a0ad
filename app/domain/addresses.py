"""Addresses that nothing of ours may connect to because somebody wrote them into a setting.

Clouds serve credentials at link-local addresses, to whoever asks from the machine itself. Names are no
addresses: what a name leads to is judged when it has been looked up.
"""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

AnyAddress = IPv4Address | IPv6Address

_METADATA_4 = (
    IPv4Network("100.100.100.200/32"),  # Alibaba Cloud
    IPv4Network("168.63.129.16/32"),  # Azure's host
    IPv4Network("192.0.0.192/32"),  # Oracle Cloud
)
_METADATA_6 = (
    IPv6Network("fd00:ec2::/32"),  # AWS: metadata, and the credentials of pods
    IPv6Network("fd20:ce::254/128"),  # Google Cloud
)
_COMPATIBLE = IPv6Network("::/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
"""SIIT, RFC 2765."""
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_LAST = 0xFFFFFFFF


def address_of(host: str) -> AnyAddress | None:
    """Read an address as the system would, in all its spellings (`0xa9fea9fe`); None: it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):  # the latter: it has signs that cannot stand in any of them
        return None


def objection(address: AnyAddress, *, link_local: bool) -> str | None:
    """Say what speaks against connecting to an address; None: nothing does.

    With `link_local`, what is link-local, or serves a cloud's metadata, is allowed. An IPv6 address that
    leads to an IPv4 address is judged as both.
    """
    return next(filter(None, (_objection(one, link_local=link_local) for one in _meant(address))), None)


def _objection(address: AnyAddress, *, link_local: bool) -> str | None:
    if address.is_unspecified:
        return "it is no address of anybody"
    if address.is_multicast or address == IPv4Address(_LAST):
        return "it is an address of many"
    if link_local:
        return None
    if address.is_link_local:
        return "it is link-local: clouds serve secrets there"
    known = _METADATA_4 if isinstance(address, IPv4Address) else _METADATA_6
    return "a cloud serves secrets there" if any(address in network for network in known) else None


def _meant(address: AnyAddress) -> Iterator[AnyAddress]:
    """List the address, and those that are written into it."""
    yield address
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _COMPATIBLE and number > 1:  # ::1 is loopback, :: nobody
        yield IPv4Address(number & _LAST)
    if address in _NAT64 or address in _TRANSLATED:
        yield IPv4Address(number & _LAST)
    if address in _NAT64_LOCAL:
        # RFC 6052: behind a prefix of 96 bits, or of 48 and then around a byte that stays empty. Which of
        # them it is cannot be seen: what is an address of nobody, or of many, was not meant.
        for meant in (number, (number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF):
            guess = IPv4Address(meant & _LAST)
            if not (guess.is_unspecified or guess.is_multicast):
                yield guess
