"""How the poller slows down while AWS throttles us: its own arithmetic, without threads."""

from datetime import timedelta

import pytest

from app.poller import GAP, Poller
from app.service.reconcile import PassReport
from tests.fakes import FakeClock, FakeTurn

INTERVAL = timedelta(seconds=10)
THROTTLED = PassReport(throttled=True)


class World:
    """A poller whose beats come from the test, and the time at which each pass ran."""

    def __init__(self, chance: float = 0.0) -> None:
        self.clock = FakeClock()
        self.report = THROTTLED
        self.ran: list[float] = []
        self._began = self.clock.now()
        self.poller = Poller(
            self._tick,
            lambda: False,
            lambda: 0,
            turn=FakeTurn(),
            interval=INTERVAL,
            clock=self.clock,
            chance=lambda: chance,
        )

    def _tick(self) -> PassReport:
        self.ran.append((self.clock.now() - self._began).total_seconds())
        return self.report

    def beat_for(self, seconds: int) -> None:
        for _ in range(seconds):
            self.poller._beat()
            self.clock.advance(1)

    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.ran, self.ran[1:], strict=False)]


def test_each_throttled_pass_doubles_the_time_to_the_next_up_to_two_minutes() -> None:
    world = World()

    world.beat_for(600)

    assert world.waits() == [20, 40, 80, 120, 120, 120]


def test_a_claim_does_not_shorten_it() -> None:
    world = World()
    world.beat_for(2)
    world.poller.wake()

    world.beat_for(17)

    assert len(world.ran) == 1


def test_a_pass_that_is_not_throttled_ends_it() -> None:
    world = World()
    world.beat_for(61)
    world.report = PassReport()
    world.beat_for(90)
    world.ran.clear()
    world.poller.wake()

    world.beat_for(2)

    assert len(world.ran) == 1
    assert timedelta(seconds=1) > GAP


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 20), (0.99, 17)])
def test_chance_spreads_those_who_come_back(chance: float, wait: float) -> None:
    world = World(chance)

    world.beat_for(30)

    assert world.waits()[0] == wait
