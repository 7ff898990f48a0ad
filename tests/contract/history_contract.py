"""What every implementation of the History port promises."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.history import GRAIN, KEPT, Sample, grain_of
from app.domain.model import DEFAULT_POOL, PoolName
from app.ports import History

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
GPU = PoolName("gpu")


def database_time() -> datetime:
    """What time it is by every database of the tests."""
    return datetime.now(UTC)  # noqa: TID251 - they have the clock of this machine


START = grain_of(database_time()).replace(minute=0, second=0) - 2 * HOUR


def a_sample(
    at: datetime = START,
    pool: PoolName = DEFAULT_POOL,
    *,
    idle: int = 5,
    allocated: int = 2,
    booting: int = 1,
    waiting: int = 0,
    buffer: int = 5,
    desired: int | None = 8,
) -> Sample:
    return Sample(
        pool=pool,
        at=at,
        idle=idle,
        allocated=allocated,
        booting=booting,
        waiting=waiting,
        buffer=buffer,
        desired=desired,
    )


class HistoryContract:
    """Subclasses give a fixture `history`, which has no samples yet."""

    def test_before_the_first_there_are_none(self, history: History) -> None:
        assert list(history.since(DEFAULT_POOL, START, step=GRAIN)) == []

    @pytest.mark.parametrize("desired", [8, None])
    def test_a_sample_is_kept_as_it_was_given(self, history: History, desired: int | None) -> None:
        history.note([a_sample(desired=desired)])

        assert list(history.since(DEFAULT_POOL, START, step=GRAIN)) == [a_sample(desired=desired)]

    def test_samples_of_all_pools_are_kept_at_once_and_told_apart(self, history: History) -> None:
        history.note([a_sample(), a_sample(pool=GPU, idle=0)])

        assert list(history.since(DEFAULT_POOL, START, step=GRAIN)) == [a_sample()]
        assert list(history.since(GPU, START, step=GRAIN)) == [a_sample(pool=GPU, idle=0)]

    def test_no_samples_change_nothing(self, history: History) -> None:
        history.note([a_sample()])

        history.note([])

        assert list(history.since(DEFAULT_POOL, START, step=GRAIN)) == [a_sample()]

    def test_the_oldest_is_told_first(self, history: History) -> None:
        given = [a_sample(START + number * GRAIN, idle=number) for number in range(4)]
        for sample in (given[2], given[0], given[3], given[1]):
            history.note([sample])

        assert list(history.since(DEFAULT_POOL, START, step=GRAIN)) == given

    def test_what_was_before_the_start_is_not_told(self, history: History) -> None:
        for number in range(3):
            history.note([a_sample(START + number * GRAIN)])

        told = history.since(DEFAULT_POOL, START + GRAIN / 2, step=GRAIN)

        assert [sample.at for sample in told] == [START + GRAIN, START + 2 * GRAIN]

    def test_the_first_sample_in_a_grain_of_time_stays(self, history: History) -> None:
        history.note([a_sample(idle=1)])

        history.note([a_sample(idle=2), a_sample(START + GRAIN, idle=3)])

        assert [one.idle for one in history.since(DEFAULT_POOL, START, step=GRAIN)] == [1, 3]

    def test_of_a_step_the_least_idle_and_buffer_and_the_most_of_all_else_are_told(
        self, history: History
    ) -> None:
        history.note([a_sample(idle=3, allocated=1, booting=0, waiting=2, buffer=5, desired=8)])
        history.note(
            [a_sample(START + GRAIN, idle=0, allocated=4, booting=3, waiting=0, buffer=4, desired=9)]
        )

        assert list(history.since(DEFAULT_POOL, START, step=MINUTE)) == [
            a_sample(idle=0, allocated=4, booting=3, waiting=2, buffer=4, desired=9)
        ]

    def test_a_step_in_which_desired_was_known_once_knows_it(self, history: History) -> None:
        history.note([a_sample(desired=None)])
        history.note([a_sample(START + GRAIN, desired=0)])

        assert history.since(DEFAULT_POOL, START, step=MINUTE)[0].desired == 0

    def test_steps_begin_where_whole_steps_do(self, history: History) -> None:
        for number in (1, 3, 4, 7):
            history.note([a_sample(START + number * GRAIN, idle=number)])

        told = history.since(DEFAULT_POOL, START + GRAIN, step=MINUTE)

        assert [(one.at, one.idle) for one in told] == [(START, 1), (START + MINUTE, 4)]

    def test_a_step_without_samples_is_left_out(self, history: History) -> None:
        for at in (START, START + 3 * MINUTE):
            history.note([a_sample(at)])

        told = history.since(DEFAULT_POOL, START, step=MINUTE)

        assert [sample.at for sample in told] == [START, START + 3 * MINUTE]

    def test_what_is_as_old_as_a_day_is_not_kept(self, history: History) -> None:
        a_day_ago = grain_of(database_time()) - KEPT

        history.note([a_sample(a_day_ago), a_sample(a_day_ago + HOUR)])

        told = history.since(DEFAULT_POOL, a_day_ago, step=GRAIN)
        assert [sample.at for sample in told] == [a_day_ago + HOUR]

    def test_a_clock_that_is_ahead_costs_no_sample(self, history: History) -> None:
        history.note([a_sample(START)])

        history.note([a_sample(database_time() + 2 * KEPT)])

        assert history.since(DEFAULT_POOL, START, step=GRAIN)[0] == a_sample(START)

    def test_what_a_clock_that_is_ahead_calls_later_is_kept_as_of_now(self, history: History) -> None:
        before = grain_of(database_time())

        history.note([a_sample(database_time() + 2 * KEPT, idle=9)])

        (told,) = history.since(DEFAULT_POOL, START, step=GRAIN)
        assert told.idle == 9
        assert before <= told.at <= database_time()

    def test_a_sample_from_before_the_others_lets_them_be(self, history: History) -> None:
        """A clock was set back."""
        history.note([a_sample(START)])

        history.note([a_sample(START - HOUR)])

        told = history.since(DEFAULT_POOL, START - HOUR, step=GRAIN)
        assert [sample.at for sample in told] == [START - HOUR, START]

    def test_since_when_fewer_are_idle_than_the_buffer_is_the_first_sample_that_says_so_without_a_break(
        self, history: History
    ) -> None:
        history.note(
            [a_sample(START + number * GRAIN, idle=idle) for number, idle in enumerate((5, 3, 5, 4, 0, 4))]
        )

        assert history.short_since(DEFAULT_POOL) == START + 3 * GRAIN

    def test_where_all_samples_say_so_it_is_the_oldest(self, history: History) -> None:
        history.note([a_sample(START + number * GRAIN, idle=4) for number in range(3)])

        assert history.short_since(DEFAULT_POOL) == START

    def test_a_pool_that_has_its_buffer_is_not_short_whatever_others_are(self, history: History) -> None:
        history.note([a_sample(idle=4), a_sample(START + GRAIN, idle=5), a_sample(pool=GPU, idle=0)])

        assert history.short_since(DEFAULT_POOL) is None

    def test_without_samples_no_pool_is_known_to_be_short(self, history: History) -> None:
        assert history.short_since(DEFAULT_POOL) is None
