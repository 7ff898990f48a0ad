"""What the benchmark of the dashboard looks at: a pool as it is after some weeks, and a viewer of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.history import GRAIN, KEPT
from app.domain.model import DEFAULT_POOL, InstanceState
from app.registry.catalogue import SqlCatalogue
from app.registry.database import open_database
from app.registry.history import SqlHistory
from app.registry.transactions import Transactions
from bench.dashboard import Viewer, measure
from bench.population import BUFFER, populate
from tests.answering import AnsweringService, Says
from tests.builders import NOW

LIVING = 100


def test_the_pool_has_as_many_as_are_wanted_and_a_day_of_samples(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    populate(url, LIVING, NOW)
    transactions = Transactions(open_database(url))
    catalogue = SqlCatalogue(transactions)

    living = catalogue.find_instances(limit=1).total
    idle = catalogue.find_instances(state=InstanceState.IDLE, limit=1).total
    samples = SqlHistory(transactions).since(DEFAULT_POOL, NOW - KEPT, step=GRAIN)
    transactions.close()

    assert (living, idle) == (LIVING, BUFFER)
    assert len(samples) == KEPT // GRAIN


def test_a_viewer_asks_again_only_for_what_is_new() -> None:
    with AnsweringService() as service:
        service.on("GET", "/page", Says(body="<p>", headers={"ETag": '"one"'}), Says(status=304, body=""))
        with Viewer(int(service.url.rpartition(":")[2])) as viewer:
            answers = [viewer.get("/page"), viewer.get("/page")]

        assert [status for status, _ in answers] == [200, 304]
        assert service.requests("GET", "/page")[1].headers["If-None-Match"] == '"one"'


def test_an_error_is_not_measured() -> None:
    with (
        AnsweringService() as service,
        Viewer(int(service.url.rpartition(":")[2])) as viewer,
        pytest.raises(RuntimeError, match="404"),
    ):
        viewer.get("/page")


def test_every_figure_is_there(tmp_path: Path) -> None:
    now = datetime.now(UTC)  # noqa: TID251 - the service has no other clock

    told = measure(tmp_path, now, quick=True, living=LIVING)

    assert told["figures"].keys() == {"viewer"}
    assert {"first page", "a viewer at rest, of one core"} <= told["details"].keys()
