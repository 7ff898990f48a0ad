"""The History contract on SQLite, on real PostgreSQL, and in memory."""

from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, func, select, text

from app.domain.errors import RegistryUnavailable
from app.domain.history import GRAIN, KEPT
from app.domain.model import DEFAULT_POOL
from app.ports import History
from app.registry.history import SqlHistory
from app.registry.schema import samples
from app.registry.transactions import Transactions
from tests.contract.history_contract import GPU, START, HistoryContract, a_sample
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
        grains = 3 * (KEPT // GRAIN)
        history.note(a_sample(START + number * GRAIN) for number in range(grains))

        history.note([a_sample(START + grains * GRAIN)])

        with engine.connect() as connection:
            kept = connection.execute(select(func.count()).select_from(samples)).scalar_one()
        assert kept == KEPT // GRAIN

    def test_a_database_that_does_not_answer_is_told_in_our_words(
        self, history: History, engine: Engine
    ) -> None:
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE samples"))

        with pytest.raises(RegistryUnavailable):
            history.note([a_sample()])
        with pytest.raises(RegistryUnavailable):
            history.since(DEFAULT_POOL, START, step=GRAIN)


class TestFakeHistory(HistoryContract):
    @pytest.fixture
    def history(self) -> History:
        return FakeHistory()
