"""How often an address may try a token that is not valid."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from threading import Lock

ALLOWED = 10
"""Failed attempts of an address at once; and so many again when WINDOW is over."""
WINDOW = 60.0
"""Seconds, from the first of them on."""
MOST = 10_000
"""Addresses that are told apart: some megabytes at most."""

_PREFIX = 64
"""Bits of an IPv6 address that name a network: whoever has one, has all of its addresses."""
_LONGEST = 64
"""Characters that are kept of what is no address."""
_OTHERS = "others"


class Attempts:
    """Counts failed attempts by address, in this process.

    What is over is forgotten as soon as anybody is asked about or fails again, and never are more than `most`
    addresses told apart: while there are as many, all new ones count as one. `monotonic` returns seconds that
    never jump.
    """

    def __init__(self, *, monotonic: Callable[[], float], most: int = MOST) -> None:
        self._monotonic = monotonic
        self._most = most
        self._changing = Lock()
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """Since when, and how often. All last equally long, so the first is always the first to be over."""

    def __len__(self) -> int:
        """Return how much is kept, in addresses."""
        return len(self._counted)

    def spent(self, address: str) -> bool:
        """Whether the address has no attempt left for the moment."""
        with self._changing:
            now = self._forget()
            _, count = self._counted.get(self._counted_as(address), (now, 0))
            return count >= ALLOWED

    def failed(self, address: str) -> timedelta | None:
        """Count a failed attempt; where it is one too many, return how long to wait."""
        with self._changing:
            now = self._forget()
            key = self._counted_as(address)
            since, count = self._counted.get(key, (now, 0))
            if count < ALLOWED:
                self._counted[key] = since, count + 1
                return None
            return timedelta(seconds=max(since + WINDOW - now, 1.0))

    def _forget(self) -> float:
        """Give up what is over; return the time."""
        now = self._monotonic()
        while self._counted:
            since, _ = next(iter(self._counted.values()))
            if now - since < WINDOW:
                break
            self._counted.popitem(last=False)
        return now

    def _counted_as(self, address: str) -> str:
        key = _key(address)
        return key if key in self._counted or len(self._counted) < self._most else _OTHERS


@lru_cache(maxsize=1024)  # most requests come from a few
def _key(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:_LONGEST]
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), _PREFIX), strict=False))
