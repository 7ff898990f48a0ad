"""The ports in memory, for tests that need the behaviour of the world but not the world."""

from collections.abc import Callable, Collection, Mapping
from itertools import count

from app.domain.finding import Finding
from app.domain.model import DEFAULT_POOL, InstanceId, PoolName
from app.ports import RequestId
from app.service.waiting import WaitingRoom
from tests.fake_clock import FakeClock, Stopwatch
from tests.fake_cloud import FakeCloud
from tests.fake_controls import FakeControls
from tests.fake_leases import FakeBell, FakeLeases, FakeMandate
from tests.fake_line import FakeLine
from tests.fake_memory import FakeHistory, FakePresence, FakeSessions
from tests.fake_meter import FakeMeter
from tests.fake_tokens import FakeTokens

__all__ = [
    "FakeBell",
    "FakeClock",
    "FakeCloud",
    "FakeControls",
    "FakeHistory",
    "FakeLeases",
    "FakeLine",
    "FakeMandate",
    "FakeMeter",
    "FakePreflight",
    "FakePresence",
    "FakeProber",
    "FakeSessions",
    "FakeTokens",
    "FakeWaker",
    "a_waiting_room",
]


class FakePreflight:
    """Finds what it was given, and counts how often it was asked."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        self.buffers: list[int] = []
        self.meanwhile: Callable[[], object] = lambda: None
        """Happens while it examines."""

    @property
    def asked(self) -> int:
        return len(self.buffers)

    def examine(self, buffer: int) -> tuple[Finding, ...]:
        self.buffers.append(buffer)
        self.meanwhile()
        return self.findings


class FakeWaker:
    """Counts how often a pass was asked for, and of which pools."""

    def __init__(self) -> None:
        self.wakes = 0
        self.pools: list[PoolName | None] = []

    def wake(self, pool: PoolName | None = None) -> None:
        self.wakes += 1
        self.pools.append(pool)


class FakeProber:
    """Finds every target ready, or only those in `ready` once that is a set.

    Of the ready, every front page opens, or only those in `opening` once that is a set.
    """

    def __init__(
        self, ready: Collection[InstanceId] | None = None, opening: Collection[InstanceId] | None = None
    ) -> None:
        self.ready = None if ready is None else set(ready)
        self.opening = None if opening is None else set(opening)
        self.probed: list[dict[InstanceId, tuple[str, int]]] = []
        self.opened: list[dict[InstanceId, tuple[str, int]]] = []

    def probe(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        self.probed.append(dict(targets))
        return self._ready(targets)

    def opens(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        self.opened.append(dict(targets))
        ready = self._ready(targets)
        return ready if self.opening is None else ready & self.opening

    def _ready(self, targets: Mapping[InstanceId, tuple[str, int]]) -> frozenset[InstanceId]:
        return frozenset(targets if self.ready is None else self.ready & targets.keys())


def a_waiting_room(places: int = 0) -> WaitingRoom:
    """Build a waiting room in which time passes only while somebody waits."""
    watch = Stopwatch()
    return WaitingRoom(
        line=FakeLine(),
        requests=map(RequestId, map(str, count())),
        places=places,
        pools=(DEFAULT_POOL,),
        clock=FakeClock(),
        monotonic=watch,
        sleep=lambda _woken, seconds: watch.advance(seconds),
    )
