"""Waiting in line for an instance: a few requests at a time, for each of them holds a thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock

from app.domain.errors import PoolExhausted
from app.domain.model import PoolName, ProjectId
from app.ports import Claimed

# All in seconds.
TICK = 0.2
"""How often those in line look whether there is something for them; one look serves all of a pool."""
INSIST = 5.0
"""How often each asks the registry itself: so it goes on counting as demand, and learns what its project got
elsewhere."""
DOUBT = 2.0
"""How often instances are asked again that are idle, but did not answer lately."""


@dataclass(frozen=True, slots=True)
class Supply:
    """How many instances of a pool could be handed out."""

    ready: int
    doubtful: int
    """Idle, but none of their probes passed lately: a claim would have to ask them."""


@dataclass(slots=True, eq=False)
class _Party:
    """Those in line of one project: they get the same instance, and have one place in the order."""

    project: ProjectId
    size: int = 0
    served: bool = False
    """One of them has the instance: the others need only fetch it."""


@dataclass(slots=True)
class _Line:
    """Those who wait for one pool."""

    parties: list[_Party] = field(default_factory=list)
    supply: Supply | None = None
    looked_at: float = 0.0
    lock: Lock = field(default_factory=Lock)


class WaitingRoom:
    """Lets requests wait for an instance: so many at a time in this process, the longest waiting first.

    Only among those who wait here: who has just come, or waits in another process, may be faster.
    """

    def __init__(
        self, *, places: int, monotonic: Callable[[], float], sleep: Callable[[float], object]
    ) -> None:
        """`monotonic` returns seconds that never jump, `sleep` returns after so many of them."""
        self._places = places
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = Lock()
        self._waiting = 0
        self._open: Callable[[], bool] = lambda: True
        self._lines: dict[PoolName, _Line] = {}

    def open_while(self, condition: Callable[[], bool]) -> None:
        """Send everybody away, and let nobody in, once the condition fails: the process is about to end."""
        self._open = condition

    def wait(  # noqa: PLR0917 - what is waited for, and how to get it
        self,
        pool: PoolName,
        project: ProjectId,
        patience: timedelta,
        look: Callable[[], Supply],
        claim: Callable[[], Claimed],
        refused: PoolExhausted,
    ) -> Claimed:
        """Return what `claim` got, as soon as `look` shows that it may get something.

        Raises PoolExhausted once `patience` is over, and at once, as `refused` says, where every place is
        taken. `claim` raises it as long as there is nothing; whatever else the two raise ends the wait.
        """
        until = self._monotonic() + patience.total_seconds()
        with self._place(pool, project, refused) as (line, party):
            asked_at = self._monotonic()
            while self._open() and (left := until - self._monotonic()) > 0:
                self._sleep(min(TICK, left))
                now = self._monotonic()
                since = now - asked_at if now < until else INSIST  # the last one is due whenever it was
                if not self._is_worth_a_claim(line, party, look, since):
                    continue
                asked_at = now
                try:
                    claimed = claim()
                except PoolExhausted as error:
                    party.served = False
                    refused = error
                else:
                    party.served = True
                    return claimed
        raise refused

    def _is_worth_a_claim(self, line: _Line, party: _Party, look: Callable[[], Supply], since: float) -> bool:
        """Say whether a claim may get something, or is due in any case, so long `since` the last."""
        if party.served:
            return True
        supply = self._supply(line, look)
        with self._lock:
            ahead = line.parties.index(party)
        if supply.ready:  # where not for this one, then for those before it
            return ahead < supply.ready
        return since >= (DOUBT if ahead < supply.doubtful else INSIST)

    def _supply(self, line: _Line, look: Callable[[], Supply]) -> Supply:
        with line.lock:
            if line.supply is None or self._monotonic() - line.looked_at >= TICK / 2:
                line.supply = look()
                line.looked_at = self._monotonic()
            return line.supply

    @contextmanager
    def _place(
        self, pool: PoolName, project: ProjectId, refused: PoolExhausted
    ) -> Iterator[tuple[_Line, _Party]]:
        with self._lock:
            if not self._open():
                raise refused
            if self._waiting >= self._places:
                raise PoolExhausted(
                    f"{refused.detail} This request was not let wait: as many as may at a time do already.",
                    retry_after=refused.retry_after,
                )
            self._waiting += 1
            line = self._lines.setdefault(pool, _Line())
            party = next((one for one in line.parties if one.project == project), None)
            if party is None:
                party = _Party(project)
                line.parties.append(party)
            party.size += 1
        try:
            yield line, party
        finally:
            with self._lock:
                self._waiting -= 1
                party.size -= 1
                if not party.size:
                    line.parties.remove(party)
