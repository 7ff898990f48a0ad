"""How often an address may try a token that is not valid."""

import ipaddress
from datetime import timedelta
from threading import Lock

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from app.ports import Clock

RATE = RateLimitItemPerMinute(10)
_PREFIX = 64
"""Bits of an IPv6 address that name a network: whoever has one, has all of its addresses."""


class Attempts:
    """Counts failed attempts by address, in this process: some at once, and then so many a minute.

    Memory is given back as soon as an address may try again.
    """

    def __init__(self, *, clock: Clock, rate: RateLimitItem = RATE) -> None:
        self._clock = clock
        self._rate = rate
        self._making = Lock()
        self._made: FixedWindowRateLimiter | None = None

    def spent(self, address: str) -> bool:
        """Whether the address has no attempt left for the moment."""
        return self._made is not None and not self._made.test(self._rate, _key(address))

    def failed(self, address: str) -> timedelta | None:
        """Count a failed attempt; where it is one too many, return how long to wait."""
        limiter, key = self._limiter(), _key(address)
        if limiter.hit(self._rate, key):
            return None
        left = limiter.get_window_stats(self._rate, key).reset_time - self._clock.now().timestamp()
        return timedelta(seconds=min(max(left, 1.0), self._rate.get_expiry()))

    def _limiter(self) -> FixedWindowRateLimiter:
        """Make it at the first failure: it starts a thread, which a fork would not carry over."""
        with self._making:
            if self._made is None:
                self._made = FixedWindowRateLimiter(MemoryStorage())
            return self._made


def _key(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _PREFIX), strict=False))
