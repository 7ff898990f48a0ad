"""Looking at a database: what is wrong with it is told, and nothing in it is changed."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.domain.errors import RegistryUnusable
from app.domain.finding import Finding, Verdict
from app.domain.model import DEFAULT_POOL, PoolName
from app.registry.database import open_database
from app.registry.inspection import examine_database, open_read_only
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.registry.versions import revisions
from tests.builders import NOW, a_look
from tests.databases import plainly

OURS = Owner("vscode-asg", "eu-west-1")
GPU = PoolName("gpu")


def used(url: str) -> None:
    """Bring a database to where a first start leaves it, with an instance in it."""
    engine = open_database(url)
    registry = SqlRegistry(Transactions(engine))
    belong_to(registry._transactions, {DEFAULT_POOL: OURS})
    registry.discover(DEFAULT_POOL, a_look(), now=NOW)
    registry.close()


def write(url: str, statement: str) -> None:
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def examined(url: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine_database(url, {DEFAULT_POOL: OURS})}


def folder(path: Path) -> dict[str, bytes | None]:
    """What is there: SQLite's index of its journal alone may change, it is rebuilt by whoever comes."""
    return {file.name: None if file.name.endswith("-shm") else file.read_bytes() for file in path.iterdir()}


@contextmanager
def crashed(path: Path) -> Iterator[None]:
    """Leave a SQLite file as `kill -9` does: with what was committed last beside it."""
    used(f"sqlite:///{path}")
    child = os.fork()
    if not child:
        connection = sqlite3.connect(path)
        connection.execute("UPDATE instances SET zone = 'eu-west-1z'")
        connection.commit()
        os._exit(9)
    os.waitpid(child, 0)
    yield


def test_a_database_in_good_order_is_told_in_three_lines(database_url: str) -> None:
    used(database_url)

    found = examined(database_url)

    assert list(found) == ["database", "database writes", "database group"]
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    assert revisions()[-1] in found["database"].detail


def test_the_database_of_another_group_is_a_failure(database_url: str) -> None:
    used(database_url)

    found = {
        finding.check: finding
        for finding in examine_database(database_url, {DEFAULT_POOL: Owner("other", "eu-west-1")})
    }["database group"]

    assert found.verdict is Verdict.FAILURE
    assert "'vscode-asg' in eu-west-1" in found.detail
    assert "ORCHESTRATOR_ASG_NAME" in found.remedy


def test_a_pool_that_the_settings_name_no_more_is_a_warning_while_it_has_instances(
    database_url: str,
) -> None:
    used(database_url)
    engine = open_database(database_url)
    registry = SqlRegistry(Transactions(engine))
    belong_to(registry._transactions, {GPU: Owner("gpu-asg", "eu-west-1")})
    assert "database pools" not in examined(database_url)
    registry.discover(GPU, a_look(), now=NOW)
    registry.close()

    found = examined(database_url)["database pools"]

    assert found.verdict is Verdict.WARNING
    assert "no pool 'gpu', and nobody looks after its instances (1)" in found.detail


def test_a_pool_that_was_renamed_is_a_failure_while_it_has_instances(database_url: str) -> None:
    used(database_url)

    findings = examine_database(database_url, {GPU: OURS})

    (found,) = [one for one in findings if one.check == "database group"]
    assert (found.verdict, found.pool) == (Verdict.FAILURE, GPU)
    assert "is that of the pool 'default' in the database" in found.detail


def test_each_pools_group_is_looked_at(database_url: str) -> None:
    used(database_url)

    findings = examine_database(database_url, {DEFAULT_POOL: OURS, GPU: Owner("gpu-asg", "eu-west-1")})

    groups = {one.pool: one.detail for one in findings if one.check == "database group"}
    assert groups[DEFAULT_POOL] == "It belongs to 'vscode-asg' in eu-west-1, as the settings say."
    assert "the first start ties it to 'gpu-asg' in eu-west-1" in groups[GPU]


def test_a_database_that_no_service_has_used_belongs_to_nobody_yet(database_url: str) -> None:
    open_database(database_url).dispose()

    assert examined(database_url)["database group"].verdict is Verdict.OK


def test_an_older_schema_will_be_brought_up_to_date(database_url: str) -> None:
    used(database_url)
    write(database_url, "UPDATE alembic_version SET version_num = '0001'")

    found = examined(database_url)["database"]

    assert found.verdict is Verdict.OK
    assert f"0001 up to {revisions()[-1]}" in found.detail


def test_a_newer_schema_is_a_failure(database_url: str) -> None:
    used(database_url)
    write(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with plainly(database_url) as connection:
        connection.execute(text("UPDATE compatibility SET oldest = '9999'"))

    found = examined(database_url)

    assert list(found) == ["database"]
    assert found["database"].verdict is Verdict.FAILURE
    assert "newer version" in found["database"].detail


def test_the_tables_of_another_program_are_a_failure(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")

    found = examined(f"sqlite:///{tmp_path}/theirs.db")["database"]

    assert found.verdict is Verdict.FAILURE
    assert "another program" in found.detail


def test_a_file_that_is_no_database_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "diary.db").write_text("Dear diary, today I was no database.\n" * 100)

    found = examined(f"sqlite:///{tmp_path}/diary.db")["database"]

    assert found.verdict is Verdict.FAILURE
    assert "cannot be read: file is not a database." in found.detail


def test_a_url_that_cannot_be_read_is_a_failure_that_quotes_no_password() -> None:
    found = examined("postgres;//me:hunter2@here")["database"]

    assert found.verdict is Verdict.FAILURE
    assert "hunter2" not in found.detail


def test_a_server_that_is_away_is_a_failure_that_quotes_no_password() -> None:
    found = examined("postgresql+psycopg://me:hunter2@127.0.0.1:1/registry")["database"]

    assert found.verdict is Verdict.FAILURE
    assert "hunter2" not in found.detail
    assert "cannot be read" in found.detail


def test_a_database_that_must_not_be_written_is_a_failure(tmp_path: Path) -> None:
    used(f"sqlite:///{tmp_path}/registry.db")

    found = examined(f"sqlite:///file:{tmp_path}/registry.db?mode=ro&uri=true")

    assert found["database"].verdict is Verdict.OK
    assert found["database writes"].verdict is Verdict.FAILURE
    assert "readonly" in found["database writes"].detail


def test_a_postgresql_user_who_must_not_write_is_told(a_postgres_database: Callable[[], str]) -> None:
    url = a_postgres_database()
    used(url)
    name = url.rpartition("/")[2]
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')

    found = examined(url)["database writes"]

    assert found.verdict is Verdict.FAILURE
    assert "read-only" in found.detail


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = examined(f"sqlite:///{tmp_path}/new/folder/registry.db")["database"]

    assert found.verdict is Verdict.OK
    assert "does not exist yet" in found.detail
    assert folder(tmp_path) == {}


def test_a_folder_that_cannot_be_made_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    found = examined(f"sqlite:///{tmp_path}/file/registry.db")["database"]

    assert found.verdict is Verdict.FAILURE


def test_an_empty_postgresql_database_will_get_its_tables(a_postgres_database: Callable[[], str]) -> None:
    found = examined(a_postgres_database())

    assert [finding.verdict for finding in found.values()] == [Verdict.OK]
    assert "creates the tables" in found["database"].detail


def test_looking_changes_no_file_and_leaves_none_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    used(url)
    before = folder(tmp_path)

    examined(url)
    with open_read_only(url, DEFAULT_POOL, OURS) as engine:
        SqlRegistry(Transactions(engine)).instances(DEFAULT_POOL)

    assert folder(tmp_path) == before


def test_what_a_crash_left_beside_the_file_is_read_and_stays_there(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with crashed(path):
        before = folder(tmp_path)

        found = examined(f"sqlite:///{path}")
        with open_read_only(f"sqlite:///{path}", DEFAULT_POOL, OURS) as engine:
            read = SqlRegistry(Transactions(engine)).instances(DEFAULT_POOL)

    assert before["registry.db-wal"]
    assert [one.zone for one in read.values()] == ["eu-west-1z"]
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    assert folder(tmp_path) == before


def test_a_database_opened_to_read_cannot_be_written(database_url: str) -> None:
    used(database_url)

    with (
        open_read_only(database_url, DEFAULT_POOL, OURS) as engine,
        pytest.raises(DBAPIError),
        engine.begin() as connection,
    ):
        connection.execute(text("UPDATE instances SET zone = 'nowhere'"))


def test_where_there_is_no_database_an_empty_one_stands_in_and_is_gone_afterwards(tmp_path: Path) -> None:
    with open_read_only(f"sqlite:///{tmp_path}/registry.db", DEFAULT_POOL, OURS) as engine:
        stand_in = Path(str(engine.url.database))
        assert SqlRegistry(Transactions(engine)).instances(DEFAULT_POOL) == {}
        assert stand_in.exists()

    assert not stand_in.parent.exists()
    assert folder(tmp_path) == {}


def test_an_empty_postgresql_database_stays_empty(a_postgres_database: Callable[[], str]) -> None:
    url = a_postgres_database()

    with open_read_only(url, DEFAULT_POOL, OURS) as engine:
        assert SqlRegistry(Transactions(engine)).instances(DEFAULT_POOL) == {}

    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)


def test_a_database_of_an_older_schema_is_not_read(database_url: str) -> None:
    used(database_url)
    write(database_url, "UPDATE alembic_version SET version_num = '0001'")

    with (
        pytest.raises(RegistryUnusable, match="start the service"),
        open_read_only(database_url, DEFAULT_POOL, OURS),
    ):
        pass


def test_the_database_of_another_group_is_not_read(database_url: str) -> None:
    used(database_url)

    with (
        pytest.raises(RegistryUnusable, match="belongs to the group 'vscode-asg' in eu-west-1"),
        open_read_only(database_url, DEFAULT_POOL, Owner("vscode-asg", "us-east-1")),
    ):
        pass
