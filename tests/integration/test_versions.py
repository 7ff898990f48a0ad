"""Two versions of the service on one database: the older goes on where the newer says that it can."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain.controls import Controls
from app.domain.counting import Count
from app.domain.errors import RegistryUnusable
from app.domain.finding import Verdict
from app.domain.model import DEFAULT_POOL, InstanceState, ProjectId
from app.registry.database import open_database
from app.registry.inspection import examine_database, open_read_only
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.registry.versions import revisions
from app.service.status import Duty, PoolStatus, Status
from app.web import rendering
from tests.builders import NOW, a_look, a_pool
from tests.databases import plainly

HERE = {DEFAULT_POOL: Owner("vscode-asg", "eu-west-1")}
OURS = revisions()[-1]
LOOK = a_look()


@pytest.fixture
def newer(database_url: str) -> Callable[[str | None], str]:
    """A database that a newer version has migrated; what it says of the oldest that can go on is given."""

    def make(oldest: str | None) -> str:
        registry = SqlRegistry(Transactions(open_database(database_url)))
        belong_to(registry._transactions, HERE)
        registry.discover(DEFAULT_POOL, LOOK, now=NOW)
        registry.mark_idle(LOOK.id, "10.0.0.1", 8080, now=NOW)
        registry.close()
        with plainly(database_url) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
            connection.execute(text("ALTER TABLE instances ADD COLUMN paint VARCHAR"))
            connection.execute(text("CREATE TABLE painters (name VARCHAR PRIMARY KEY)"))
            if oldest is None:
                connection.execute(text("DELETE FROM compatibility"))
            else:
                connection.execute(text("UPDATE compatibility SET oldest = :oldest"), {"oldest": oldest})
        return database_url

    return make


def version_of(url: str) -> str:
    with plainly(url) as connection:
        found: str = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        return found


@pytest.mark.parametrize("oldest", [OURS, "0001"])
def test_this_version_works_with_a_newer_schema_that_suits_it(
    newer: Callable[[str | None], str], oldest: str
) -> None:
    url = newer(oldest)

    registry = SqlRegistry(Transactions(open_database(url)))
    belong_to(registry._transactions, HERE)
    claimed = registry.claim(DEFAULT_POOL, ProjectId("alice"), actor="tester", now=NOW)
    ended = registry.destroy(LOOK.id, actor="tester", now=NOW)
    registry.close()

    assert (claimed.allocation.instance, ended.state) == (LOOK.id, InstanceState.TERMINATING)
    assert version_of(url) == "9999"


@pytest.mark.parametrize("oldest", ["9999", None])
@pytest.mark.parametrize("patient", [False, True])
def test_a_newer_schema_that_does_not_suit_is_refused(
    newer: Callable[[str | None], str], oldest: str | None, patient: bool
) -> None:
    url = newer(oldest)

    with pytest.raises(RegistryUnusable, match=r"newer version of this service \(schema 9999\)"):
        open_database(url, patient=patient)

    assert version_of(url) == "9999"


def test_a_newer_schema_that_says_nothing_of_older_versions_is_refused(
    newer: Callable[[str | None], str],
) -> None:
    url = newer(OURS)
    with plainly(url) as connection:
        connection.execute(text("DROP TABLE compatibility"))

    with pytest.raises(RegistryUnusable, match="newer version"):
        open_database(url)


def test_a_file_of_a_newer_version_is_left_as_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    open_database(url).dispose()
    with plainly(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("UPDATE compatibility SET oldest = '9999'"))
    before = (tmp_path / "registry.db").read_bytes()

    with pytest.raises(RegistryUnusable):
        open_database(url)

    assert (tmp_path / "registry.db").read_bytes() == before


def test_a_newer_schema_that_suits_is_read_and_told(newer: Callable[[str | None], str]) -> None:
    url = newer(OURS)

    with open_read_only(url, DEFAULT_POOL, HERE[DEFAULT_POOL]) as engine:
        assert set(SqlRegistry(Transactions(engine)).instances(DEFAULT_POOL)) == {LOOK.id}
    found = examine_database(url, HERE)

    assert {finding.verdict for finding in found} == {Verdict.OK}
    assert "9999 is newer" in found[0].detail


def test_a_newer_schema_that_does_not_suit_is_not_read(newer: Callable[[str | None], str]) -> None:
    url = newer("9999")

    with (
        pytest.raises(RegistryUnusable, match="newer version"),
        open_read_only(url, DEFAULT_POOL, HERE[DEFAULT_POOL]),
    ):
        pass
    (finding,) = examine_database(url, HERE)

    assert finding.verdict is Verdict.FAILURE


# What a newer version wrote


@pytest.fixture
def written(newer: Callable[[str | None], str]) -> SqlRegistry:
    """A registry in which a newer version has used words that this one does not know."""
    url = newer(OURS)
    with plainly(url) as connection:
        for statement in [
            "UPDATE instances SET state = 'terminating', end_reason = 'retired'",
            "UPDATE events SET kind = 'instance.painted', reason = 'blue'",
            "UPDATE pools SET limited_by = 'moon-phase'",
            """UPDATE pools SET notices = '[{"code": "dark", "detail": "No moon.", "since": 7}]'""",
        ]:
            connection.exec_driver_sql(statement)
    return SqlRegistry(Transactions(open_database(url)))


def test_unknown_words_are_read_as_they_are(written: SqlRegistry) -> None:
    view = written.view(DEFAULT_POOL)
    reason = written.instances(DEFAULT_POOL)[LOOK.id].end_reason
    kinds = {event.kind for event in written.events(limit=10)}
    written.close()

    assert (view.limited_by, reason, kinds) == ("moon-phase", "retired", {"instance.painted"})
    assert [(notice.code, notice.detail) for notice in view.notices] == [("dark", "No moon.")]


def test_status_tells_an_unknown_limit(written: SqlRegistry) -> None:
    view = written.view(DEFAULT_POOL)
    written.close()

    pool = PoolStatus(
        config=a_pool(), controls=Controls(pool=DEFAULT_POOL), view=view, count=Count(), waiting=0
    )
    duty = Duty(replica="ours", leader=None, pass_age=None)
    told = rendering.status(Status(parts=iter([]), pools=[pool], duty=duty))

    assert json.loads(b"".join(told))["limitedBy"] == "moon-phase"


def test_an_unknown_reason_stays_on_the_instance_to_its_end(written: SqlRegistry) -> None:
    known = written.instances(DEFAULT_POOL)[LOOK.id]
    assert known.end_reason is not None

    written.end(
        LOOK.id,
        expect=InstanceState.TERMINATING,
        to=InstanceState.TERMINATED,
        reason=known.end_reason,
        now=NOW,
    )

    assert written.terminated([LOOK.id])[LOOK.id].end_reason == "retired"
    written.close()
