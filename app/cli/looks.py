"""Looking at the service again and again, also while it is away for a while."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from app.cli.wiring import Surroundings

Seen = TypeVar("Seen")

EVERY = 2.0
"""Seconds between two looks."""
_LASTING = frozenset({400, 401, 403, 404})
"""Answers that waiting does not change."""


@dataclass(frozen=True, slots=True)
class Look(Generic[Seen]):
    """What was seen last; where that is not now, since when the service is away, and why."""

    seen: Seen
    away_since: datetime | None = None
    why: str = ""


def looks(ask: Callable[[], Seen], surroundings: Surroundings) -> Iterator[Look[Seen]]:
    """Ask every two seconds. Raises what the first asking raises, and later what waiting does not change."""
    from app.client import ClientError  # noqa: PLC0415 - the models take a quarter of a second

    look = Look(ask())
    while True:
        yield look
        surroundings.pause(EVERY)
        try:
            look = Look(ask())
        except ClientError as error:
            if getattr(error, "status", None) in _LASTING:
                raise
            look = Look(look.seen, look.away_since or surroundings.now(), str(error))
