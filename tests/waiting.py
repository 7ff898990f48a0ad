"""Waiting for a condition instead of sleeping for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LONG = 30.0
"""Seconds within which whatever is right happens, however busy the machine is."""


def until(condition: Callable[[], T], within: float = LONG, what: str = "", *, every: float = 0.05) -> T:
    """Return the first truthy answer of `condition`, asked `every` so often; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        late = time.monotonic() > deadline  # before the look: also who got no time until then has one more
        answer = condition()
        if answer:
            return answer
        if late:
            raise AssertionError(f"not within {within} s: {what or condition}")
        time.sleep(every)  # noqa: TID251 - the one place that waits
