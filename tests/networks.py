"""Networks of simulated clouds, one for each: where two meet, the later one has no addresses of its own."""

import socket
from itertools import count

CLAIM_PORT = 20_470
"""UDP: what a process binds at the last address of the networks that are its own. Nothing is sent there."""

_FIRST, _LAST = 70, 250
"""127.70 to 127.250: what the project's other clouds do not use."""

_claims: list[socket.socket] = []
_numbers = count()


def a_network() -> str:
    """Return a network in which no other cloud of this or of any other run of tests is.

    A process keeps a /16 until it ends, and takes its sixteen /20 in turn: no test has that many clouds.
    """
    if not _claims:
        _claims.append(_claim())
    second = _claims[0].getsockname()[0].split(".")[1]
    return f"127.{second}.{next(_numbers) % 16 * 16}.0/20"


def _claim() -> socket.socket:
    for second in range(_FIRST, _LAST + 1):
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((f"127.{second}.255.254", CLAIM_PORT))
        except OSError:
            claim.close()
        else:
            return claim
    raise AssertionError("each network from 127.70 to 127.250 belongs to another process")
