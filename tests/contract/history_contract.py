"""What every implementation of the History port promises."""

from datetime import datetime, timedelta

import pytest

from app.domain.history import GRAIN, KEPT, Sample, grain_of
from app.domain.model import DEFAULT_POOL, PoolName
from app.ports import History
from tests.builders import NOW

START = grain_of(NOW).replace(minute=0, second=0)
MINUTE = timedelta(minutes=1)
GPU = PoolName("gpu")


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

    def test_what_is_old_is_forgotten_with_the_next_sample(self, history: History) -> None:
        history.note([a_sample(START), a_sample(START + GRAIN)])

        history.note([a_sample(START + KEPT)])

        told = history.since(DEFAULT_POOL, START, step=GRAIN)
        assert [sample.at for sample in told] == [START + GRAIN, START + KEPT]

    def test_a_pool_that_has_no_new_samples_is_forgotten_too(self, history: History) -> None:
        history.note([a_sample(pool=GPU)])

        history.note([a_sample(START + KEPT)])

        assert list(history.since(GPU, START, step=GRAIN)) == []

    def test_a_sample_from_before_the_others_lets_them_be(self, history: History) -> None:
        """A clock was set back."""
        history.note([a_sample(START + KEPT)])

        history.note([a_sample(START)])

        told = history.since(DEFAULT_POOL, START, step=GRAIN)
        assert [sample.at for sample in told] == [START, START + KEPT]
