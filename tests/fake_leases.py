"""The lease row in memory, and what goes with leading, for tests that need no database."""

from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import TypeVar

from app.domain.errors import NotLeading, RegistryUnavailable
from app.domain.model import DEFAULT_POOL, PoolName
from app.ports import Lease
from tests.builders import NOW

Answer = TypeVar("Answer")


class FakeLeases:
    """The row that all replicas of a test share, also in threads; `now` is the database's clock."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self.term = 0
        self.held: Lease | None = None
        self.expires_at = 0.0
        self.asked = 0
        self._lock = Lock()

    def take(self, holder: str, ttl: timedelta) -> Lease | None:
        with self._lock:
            self.asked += 1
            running = self.leader()
            if running is not None and running.holder != holder:
                return None
            self.term += 1
            self.held = Lease(holder, self.term, NOW + timedelta(seconds=self._now()))
            self.expires_at = self._now() + ttl.total_seconds()
            return self.held

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        with self._lock:
            if self.held != lease:
                return False
            self.expires_at = self._now() + ttl.total_seconds()
            return True

    def holds(self, lease: Lease) -> bool:
        return self.leader() == lease

    def resign(self, lease: Lease) -> None:
        with self._lock:
            if self.held == lease:
                self.held = None

    def leader(self) -> Lease | None:
        return self.held if self._now() < self.expires_at else None


class CutLeases:
    """One replica's way to the row, which may be cut: a call then has no effect, or its answer is lost."""

    def __init__(self, leases: FakeLeases) -> None:
        self._leases = leases
        self.cut = False
        self.answers_lost = False
        self.while_asked: Callable[[], object] = lambda: None
        """Happens between the asking and the answer: time passes, somebody else is faster."""

    def take(self, holder: str, ttl: timedelta) -> Lease | None:
        return self._call(lambda: self._leases.take(holder, ttl))

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        return self._call(lambda: self._leases.renew(lease, ttl))

    def holds(self, lease: Lease) -> bool:
        return self._call(lambda: self._leases.holds(lease))

    def resign(self, lease: Lease) -> None:
        self._call(lambda: self._leases.resign(lease))

    def leader(self) -> Lease | None:
        return self._call(self._leases.leader)

    def _call(self, call: Callable[[], Answer]) -> Answer:
        if self.cut:
            raise RegistryUnavailable("no answer")
        answer = call()
        self.while_asked()
        if self.answers_lost:
            raise RegistryUnavailable("no answer")
        return answer


class FakeMandate:
    """A term that lasts until the test ends it."""

    def __init__(self) -> None:
        self.trusted = True
        self.confirmed = 0

    def confirm(self) -> None:
        self.confirmed += 1
        if not self.trusted:
            raise NotLeading("")


class FakeBell:
    """Counts who rings; rings where the test lets it: for these pools, or for all."""

    def __init__(self, *pools: PoolName) -> None:
        self.pools = frozenset(pools or (DEFAULT_POOL,))
        self.rings: list[PoolName | None] = []
        self.asked = 0
        self.news: bool | frozenset[PoolName] | Exception = False

    def ring(self, pool: PoolName | None = None) -> None:
        self.rings.append(pool)

    def rang(self) -> frozenset[PoolName]:
        self.asked += 1
        if isinstance(self.news, Exception):
            raise self.news
        news, self.news = self.news, False
        if isinstance(news, bool):
            return self.pools if news else frozenset()
        return news
