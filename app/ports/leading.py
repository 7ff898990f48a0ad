"""Who leads, and how word gets to whoever does."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from app.domain.model import PoolName


@dataclass(frozen=True, slots=True)
class Lease:
    """Leadership in one term: each term has one holder, and a number that no other term ever has."""

    holder: str
    """The replica that leads in this term; see Leadership."""
    term: int
    since: datetime
    """When the term began, by the database's clock."""


class Leases(Protocol):
    """Whose term it is: one row that all replicas of a registry share, judged by the database's clock.

    Each method may raise RegistryUnavailable, and then it may or may not have had its effect.
    """

    def take(self, holder: str, ttl: timedelta) -> Lease | None:
        """Begin a term of `ttl`, unless another holder's term is running: None then. Cheap where it is."""
        ...

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        """Let the term last `ttl` from now. False where another has begun since: this one is over for good.

        A term that ran out, and that nobody's followed, goes on.
        """
        ...

    def holds(self, lease: Lease) -> bool:
        """Say whether the term is still running."""
        ...

    def resign(self, lease: Lease) -> None:
        """End the term now, if it is still running: the next may begin at once."""
        ...

    def leader(self) -> Lease | None:
        """Return the running term; None while nobody leads."""
        ...


class Mandate(Protocol):
    """The right to lead in one term, as the passes of that term see it."""

    @property
    def trusted(self) -> bool:
        """Whether nobody else can lead yet. Costs nothing: to be asked before each step."""
        ...

    def confirm(self) -> None:
        """Return where a change to AWS may begin now: nobody else can lead before it has ended.

        Raises NotLeading otherwise, and RegistryUnavailable where the database cannot be asked.
        """
        ...


class Bell(Protocol):
    """Carries word from any replica to the one that leads: there is something to do."""

    def ring(self, pool: PoolName | None = None) -> None:
        """Send word, of one pool or of all. Returns at once and never raises; many calls make one."""
        ...

    def rang(self) -> frozenset[PoolName]:
        """Name the pools of which word came, or the registry shows news, since this was last asked. Cheap.

        Where it cannot be told which, all are named. Raises RegistryUnavailable.
        """
        ...


class Waker(Protocol):
    """Lets a claim or a release start a pass at once."""

    def wake(self, pool: PoolName | None = None) -> None:
        """Ask for a pass of the pool, or of all, within a second. Returns at once; many calls make one."""
        ...
