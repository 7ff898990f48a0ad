"""The poller and its scheduler know no time but the one they are given: a wall clock may jump."""

from datetime import UTC, datetime, timedelta

from app.poller.steady import SteadyTime
from tests.fake_clock import Stopwatch
from tests.unit.poller.world import World, lasting
from tests.waiting import until


def test_whatever_the_wall_clock_says_the_steady_time_is_the_same() -> None:
    steady = SteadyTime(Stopwatch())
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    times = [(noon + jump).astimezone(steady) for jump in (timedelta(), timedelta(hours=-1), timedelta(365))]

    assert len(set(times)) == 1


def test_no_beat_comes_by_the_wall_clock() -> None:
    """What stands still with the steady time, while the wall clock runs, cannot be stopped by the latter."""
    time = Stopwatch()
    world = World(interval=timedelta(seconds=1), time=time)
    world.poller.start()
    try:
        until(lambda: world.leadership.mandate is not None)
        time.seconds += 0.25
        world.passes.until_finished(1)
        until(lambda: _no_beat_for(1, world), what="an end of the beats, once what was due has run")
        beats = world.bell.asked

        time.seconds += 0.25
        until(lambda: world.bell.asked == beats + 1)
        time.seconds += 1
        world.passes.until_finished(2)
    finally:
        world.close()


def _no_beat_for(seconds: float, world: World) -> bool:
    before = world.bell.asked
    until(lasting(seconds))
    return world.bell.asked == before
