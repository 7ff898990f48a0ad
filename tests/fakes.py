"""The ports in memory, for tests that need the behaviour of the world but not the world."""

from collections.abc import Collection, Mapping

from app.domain.finding import Finding
from app.domain.model import InstanceId
from tests.fake_clock import FakeClock
from tests.fake_cloud import FakeCloud
from tests.fake_leases import FakeBell, FakeLeases, FakeMandate

__all__ = [
    "FakeBell",
    "FakeClock",
    "FakeCloud",
    "FakeLeases",
    "FakeMandate",
    "FakePreflight",
    "FakeProber",
    "FakeWaker",
]


class FakePreflight:
    """Finds what it was given, and counts how often it was asked."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        self.asked = 0

    def examine(self, buffer: int) -> tuple[Finding, ...]:
        self.asked += 1
        return self.findings


class FakeWaker:
    """Counts how often a pass was asked for."""

    def __init__(self) -> None:
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1


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
