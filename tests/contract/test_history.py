"""The History contract on SQLite, on real PostgreSQL, and in memory."""

from datetime import datetime
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, insert, select, text

from app.domain.errors import RegistryUnavailable
from app.domain.history import GRAIN, KEPT, grain_of
from app.domain.model import DEFAULT_POOL, PoolName
from app.ports import History
from app.registry.history import SqlHistory
from app.registry.schema import samples
from app.registry.transactions import Transactions
from tests.contract.history_contract import GPU, HOUR, START, HistoryContract, a_sample, database_time
from tests.fakes import FakeHistory


class TestSqlHistory(HistoryContract):
    @pytest.fixture
    def history(self, engine: Engine) -> History:
        return SqlHistory(Transactions(engine))

    def test_of_two_leaders_that_note_the_same_time_neither_fails(
        self, history: History, engine: Engine
    ) -> None:
        start, failed = Barrier(4), list[Exception]()

        def note(number: int) -> None:
            start.wait()
            try:
                for grain in range(20):
                    at = START + grain * GRAIN
                    history.note([a_sample(at, idle=number), a_sample(at, GPU, idle=number)])
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
                failed.append(error)

        threads = [Thread(target=note, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failed == []
        with engine.connect() as connection:
            assert connection.execute(select(func.count()).select_from(samples)).scalar_one() == 40

    def test_a_day_of_samples_is_no_more_than_a_day(self, history: History, engine: Engine) -> None:
        grains, now = KEPT // GRAIN, database_time()
        put(engine, DEFAULT_POOL, *(now - number * GRAIN for number in range(3 * grains)))

        history.note([a_sample(now)])

        passed = (grain_of(database_time()) - grain_of(now)) // GRAIN  # the time goes on meanwhile
        assert grains - passed <= kept(engine, DEFAULT_POOL) <= grains

    def test_a_pool_that_has_no_new_samples_is_forgotten_too(self, history: History, engine: Engine) -> None:
        put(engine, GPU, START - KEPT, START)

        history.note([a_sample()])

        assert kept(engine, GPU) == 1

    def test_samples_of_times_to_come_are_forgotten(self, history: History, engine: Engine) -> None:
        """They are from before the database's clock was set back."""
        put(engine, GPU, START, database_time() + HOUR)

        history.note([a_sample()])

        assert kept(engine, GPU) == 1

    def test_to_forget_only_what_is_forgotten_is_read(self, history: History, engine: Engine) -> None:
        for pool in range(10):
            put(engine, PoolName(f"p{pool}"), *(START - number * GRAIN for number in range(1_000)))
        with engine.begin() as connection:
            connection.execute(text("ANALYZE"))
        said: list[tuple[str, Any]] = []

        @event.listens_for(engine, "before_cursor_execute")
        def _heard(*heard: Any) -> None:
            said.append((heard[2], heard[3]))

        history.note([a_sample()])

        ((delete, values),) = [one for one in said if one[0].startswith("DELETE")]
        explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
        with engine.connect() as connection:
            plan = str(connection.exec_driver_sql(explain + delete, values).all())
        assert plan.count("samples_by_age") == 2, plan

    def test_a_database_that_does_not_answer_is_told_in_our_words(
        self, history: History, engine: Engine
    ) -> None:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE samples"))

        with pytest.raises(RegistryUnavailable):
            history.note([a_sample()])
        with pytest.raises(RegistryUnavailable):
            history.since(DEFAULT_POOL, START, step=GRAIN)


def put(engine: Engine, pool: PoolName, *times: datetime) -> None:
    """Put samples into the table, whatever their times."""
    figures = {"idle": 1, "allocated": 1, "booting": 1, "waiting": 1, "buffer": 1}
    with engine.begin() as connection:
        connection.execute(
            insert(samples),
            [
                {"pool": pool, "grain": int(at.timestamp() // GRAIN.total_seconds()), **figures}
                for at in times
            ],
        )


def kept(engine: Engine, pool: PoolName) -> int:
    with engine.connect() as connection:
        found = select(func.count()).select_from(samples).where(samples.c.pool == pool)
        return connection.execute(found).scalar_one()


class TestFakeHistory(HistoryContract):
    @pytest.fixture
    def history(self) -> History:
        return FakeHistory(database_time)
