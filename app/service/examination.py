"""The doctor's checks of AWS, made by each leader: what is wrong stands in the warnings."""

from collections.abc import Callable, Iterable

import structlog

from app.domain.finding import Finding, Verdict
from app.domain.model import Notice, Policy
from app.ports import ControlPanel, Preflight

log = structlog.get_logger()

AGAIN = 3600.0
"""How many seconds later to examine again while something is wrong that no look tells."""

_WRONG = frozenset({Verdict.WARNING, Verdict.FAILURE})


class Examination:
    """Examines once in a term, after the first look, and hourly while something is wrong that no look tells.

    So what was mended is noticed, and what is meant to be so, and told by each look, costs nothing more: an
    examination asks AWS for some changes that it must refuse, which is seen in the account's records. For
    that reason a paused pool is not examined.

    `make` and `notices` may run in different threads, one of each: what they share is replaced whole.
    """

    def __init__(
        self,
        preflight: Preflight,
        *,
        policy: Policy,
        controls: ControlPanel,
        monotonic: Callable[[], float],
    ) -> None:
        """`monotonic` returns seconds that never jump."""
        self._preflight = preflight
        self._policy = policy
        self._controls = controls
        self._monotonic = monotonic
        self._made_at: float | None = None
        self._wrong: tuple[Finding, ...] = ()
        self._told: frozenset[str] | None = None
        """What the last look told by itself; None before the first."""

    def make(self) -> bool:
        """Examine if it is time to, for as long as AWS takes to answer; true where there is news to tell."""
        told = self._told
        if told is None or not self._is_due(told) or self._wanted().paused:
            return False
        self._made_at = self._monotonic()
        wrong = [one for one in self._preflight.examine(self._wanted().buffer) if one.verdict in _WRONG]
        if self._wanted().paused:  # by now: some of it was left out
            self._made_at = None
            return False
        for finding in wrong:
            log.warning(
                "setup.warning",
                pool=self._policy.pool,
                check=finding.check,
                detail=finding.detail,
                remedy=finding.remedy,
            )
        before = self._wrong
        # What looks tell is theirs: they know first when it was mended.
        self._wrong = tuple(one for one in wrong if one.detail not in told)
        return self._wrong != before

    def notices(self, besides: Iterable[Notice]) -> tuple[Notice, ...]:
        """Report what is wrong and how to mend it, but for what is told `besides`, because each look does."""
        self._told = told = frozenset(notice.detail for notice in besides)
        return tuple(
            Notice(code="setup", detail=f"{one.check}: {one.detail} {one.remedy}".rstrip())
            for one in self._wrong
            if one.detail not in told
        )

    def _wanted(self) -> Policy:
        return self._controls.controls(self._policy.pool).over(self._policy)

    def _is_due(self, told: frozenset[str]) -> bool:
        if self._made_at is None:
            return True
        late = self._monotonic() - self._made_at >= AGAIN
        return late and any(one.detail not in told for one in self._wrong)
