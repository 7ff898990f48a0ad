"""The doctor's checks of AWS, made by the service at its start: what is wrong stands in the warnings."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import structlog

from app.domain.finding import Finding, Verdict
from app.domain.model import Notice
from app.ports import Clock, Preflight

log = structlog.get_logger()

AGAIN = timedelta(minutes=10)
"""How often to examine again while something is wrong."""

_WRONG = frozenset({Verdict.WARNING, Verdict.FAILURE})


class Examination:
    """Examines once, and again from time to time while something is wrong: what was mended is noticed."""

    def __init__(self, preflight: Preflight, *, buffer: int, clock: Clock) -> None:
        self._preflight = preflight
        self._buffer = buffer
        self._clock = clock
        self._at: datetime | None = None
        self._wrong: tuple[Finding, ...] = ()

    def make(self) -> bool:
        """Examine if it is time to; true where the result is news."""
        now = self._clock.now()
        if self._at is not None and not (self._wrong and now - self._at >= AGAIN):
            return False
        self._at = now
        before = self._wrong
        self._wrong = tuple(one for one in self._preflight.examine(self._buffer) if one.verdict in _WRONG)
        for finding in self._wrong:
            log.warning("setup.warning", check=finding.check, detail=finding.detail, remedy=finding.remedy)
        return self._wrong != before

    def notices(self, besides: Iterable[Notice]) -> Iterator[Notice]:
        """Report what is wrong and how to mend it, but for what is told `besides`, because each look does."""
        told = {notice.detail for notice in besides}
        for one in self._wrong:
            if one.detail not in told:
                yield Notice(code="setup", detail=f"{one.check}: {one.detail} {one.remedy}".rstrip())
