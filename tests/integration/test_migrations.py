"""The migrations give exactly the schema that app/registry/schema.py declares: whole, once, or not at all."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from app.domain.errors import RegistryUnusable
from app.domain.model import DEFAULT_POOL, InstanceId
from app.registry.database import open_database
from app.registry.schema import metadata
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.registry.versions import revisions
from tests.databases import at_revision


@pytest.fixture
def declared(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A second database of the same kind, made from the declarations and not by migrations."""
    if engine.dialect.name == "sqlite":
        url = f"sqlite:///{tmp_path}/declared.db"
    else:
        make: Callable[[], str] = request.getfixturevalue("a_postgres_database")
        url = make()
    other = create_engine(url)
    metadata.create_all(other)
    yield other
    other.dispose()


def schema_of(engine: Engine) -> dict[str, Any]:
    """Everything that the database itself tells of our tables."""
    found = inspect(engine)
    return {
        table: {
            "columns": [{**column, "type": str(column["type"])} for column in found.get_columns(table)],
            "key": found.get_pk_constraint(table),
            "foreign keys": found.get_foreign_keys(table),
            "unique": found.get_unique_constraints(table),
            "checks": sorted(found.get_check_constraints(table), key=str),
            "indexes": sorted(
                [{**index, "dialect_options": _plain(index)} for index in found.get_indexes(table)], key=str
            ),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def _plain(index: Any) -> dict[str, str]:
    return {name: str(value) for name, value in index.get("dialect_options", {}).items()}


def tables(connection: Connection) -> list[str]:
    return sorted(inspect(connection).get_table_names())


def test_alembic_finds_no_difference(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )

        assert compare_metadata(context, metadata) == []


def test_migrated_and_declared_databases_are_the_same(engine: Engine, declared: Engine) -> None:
    assert schema_of(engine) == schema_of(declared)


def test_migrated_and_declared_files_say_the_same_in_sql(tmp_path: Path) -> None:
    migrated = open_database(f"sqlite:///{tmp_path}/migrated.db")
    declared = create_engine(f"sqlite:///{tmp_path}/declared.db")
    metadata.create_all(declared)

    assert _sql(migrated) == _sql(declared)
    migrated.dispose()
    declared.dispose()


def test_one_live_allocation_per_project_is_about_the_living_only(engine: Engine) -> None:
    indexes = {index["name"]: index for index in inspect(engine).get_indexes("allocations")}

    guard = indexes["one_live_allocation_per_project"]
    assert guard["unique"]
    assert guard["column_names"] == ["project"]
    predicate = _plain(guard)[f"{engine.dialect.name}_where"]
    assert re.sub(r"[()]", "", predicate).lower() == "ended_at is null"


def test_one_allocation_per_instance_is_about_all_of_them(engine: Engine) -> None:
    indexes = {index["name"]: index for index in inspect(engine).get_indexes("allocations")}

    guard = indexes["one_allocation_per_instance"]
    assert guard["unique"]
    assert guard["column_names"] == ["instance_id"]
    assert not any("where" in option for option in _plain(guard))


def test_migrating_again_changes_nothing(database_url: str) -> None:
    first = open_database(database_url)
    before = schema_of(first)
    first.dispose()

    again = open_database(database_url)
    assert schema_of(again) == before
    again.dispose()


def test_a_migration_that_fails_half_way_leaves_nothing_behind(database_url: str) -> None:
    plain = create_engine(database_url)
    with plain.begin() as connection:
        connection.execute(text("CREATE TABLE events (what TEXT)"))  # the last table of the first migration

    with pytest.raises(RegistryUnusable):
        open_database(database_url)

    with plain.connect() as connection:
        assert tables(connection) == ["events"]
    plain.dispose()


def test_a_migration_that_failed_is_done_once_nothing_is_in_its_way(database_url: str) -> None:
    plain = create_engine(database_url)
    with plain.begin() as connection:
        connection.execute(text("CREATE TABLE events (what TEXT)"))
    with pytest.raises(RegistryUnusable):
        open_database(database_url)
    with plain.begin() as connection:
        connection.execute(text("DROP TABLE events"))
    plain.dispose()

    engine = open_database(database_url)
    with engine.connect() as connection:
        assert set(tables(connection)) >= set(metadata.tables)
    engine.dispose()


def _sql(engine: Engine) -> dict[str, list[str]]:
    """The statements a SQLite file keeps of its own making, without their white space."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return {name: _parts(sql) for name, sql in rows if name not in {"alembic_version", "sqlite_sequence"}}


def _parts(sql: str) -> list[str]:
    """What a statement says, in any order: SQLite writes a column that came later behind the constraints."""
    head, _, body = " ".join(sql.replace("(", " ( ").split()).partition("(")
    parts, depth = [""], 0
    for sign in body.rpartition(")")[0]:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [head.strip(), *sorted(part.strip() for part in parts)]


def test_instances_that_were_idle_before_they_were_probed_again_count_as_ready_then(
    database_url: str,
) -> None:
    old = at_revision(database_url, "0001")
    with old.begin() as connection:
        connection.execute(text("INSERT INTO pools (name, notices) VALUES ('default', '[]')"))
        for number, state in ((1, "idle"), (2, "booting"), (3, "allocated")):
            connection.execute(
                text(
                    "INSERT INTO instances (id, pool, state, state_since, address, port) "
                    f"VALUES ('i-0000000{number}', 'default', '{state}', '2026-11-22 12:00:00', "
                    "'10.0.0.1', 8080)"
                )
            )
    old.dispose()

    registry = SqlRegistry(Transactions(open_database(database_url)))
    found = registry.instances(DEFAULT_POOL)
    assert found[InstanceId("i-00000001")].ready_at == found[InstanceId("i-00000001")].state_since
    assert found[InstanceId("i-00000002")].ready_at is None
    assert found[InstanceId("i-00000003")].ready_at is None
    assert registry.boot_failures(DEFAULT_POOL) == []
    registry.close()


# Replicas of two versions side by side


def losses(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What code that was written for the schema before would miss, or stumble over, in the one after."""
    return [
        loss
        for table, old in before.items()
        for loss in (_losses_in(table, old, after[table]) if table in after else [f"{table} is gone"])
    ]


def _losses_in(table: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    columns = {column["name"]: column for column in new["columns"]}
    for column in old["columns"]:
        if columns.pop(column["name"], None) != column:
            yield f"{table}.{column['name']} is another one, or gone"
    for name, column in columns.items():
        if not (column["nullable"] or column["default"]):
            yield f"{table}.{name} must be filled in"
    yield from _constraints_against(table, old, new)


def _constraints_against(table: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for kind in ("key", "foreign keys", "unique", "checks"):
        if old[kind] != new[kind]:
            yield f"{table} has other {kind}"
    for index in old["indexes"]:
        if index not in new["indexes"]:
            yield f"{table} has no {index['name']} like that"
    for index in new["indexes"]:
        if index["unique"] and index not in old["indexes"]:
            yield f"{table} has a new constraint, {index['name']}"


def _oldest(engine: Engine) -> str | None:
    """Which version can go on with the tables, by their own word; None before they had any."""
    if "compatibility" not in inspect(engine).get_table_names():
        return None
    with engine.connect() as connection:
        found: str = connection.execute(text("SELECT oldest FROM compatibility")).scalar_one()
        return found


@pytest.mark.parametrize("pair", list(pairwise(revisions())), ids=" to ".join)
def test_a_migration_only_adds_where_the_version_before_it_can_go_on(
    database_url: str, pair: tuple[str, str]
) -> None:
    engine = at_revision(database_url, pair[0])
    before = schema_of(engine)
    engine.dispose()

    engine = at_revision(database_url, pair[1])
    oldest = _oldest(engine)
    lost = losses(before, schema_of(engine))
    engine.dispose()

    assert not lost or (oldest is not None and oldest > pair[0])


@pytest.mark.parametrize(
    ("change", "loss"),
    [
        ("DROP TABLE waiting", "waiting is gone"),
        ("ALTER TABLE pools DROP COLUMN region", "pools.region is another one, or gone"),
        ("ALTER TABLE pools RENAME COLUMN region TO place", "pools.region is another one, or gone"),
        ("ALTER TABLE pools ADD COLUMN paint VARCHAR NOT NULL DEFAULT ''", None),
        ("ALTER TABLE pools ADD COLUMN paint VARCHAR", None),
        ("CREATE TABLE paints (name VARCHAR PRIMARY KEY)", None),
        ("CREATE INDEX by_region ON pools (region)", None),
        ("CREATE UNIQUE INDEX by_region ON pools (region)", "pools has a new constraint, by_region"),
        ("DROP INDEX instances_by_state", "instances has no instances_by_state like that"),
    ],
)
def test_the_test_of_migrations_sees(engine: Engine, change: str, loss: str | None) -> None:
    before = schema_of(engine)
    with engine.begin() as connection:
        connection.execute(text(change))

    assert losses(before, schema_of(engine)) == ([] if loss is None else [loss])


def test_the_newest_version_can_go_on_with_its_own_tables(engine: Engine) -> None:
    oldest = _oldest(engine)

    assert oldest is not None
    assert oldest in revisions()


def test_each_migrations_file_begins_with_its_revision() -> None:
    """The start reads the names of the files alone, so that it need not load Alembic."""
    config = Config()
    config.set_main_option("script_location", "app/registry/migrations")
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())

    assert revisions() == tuple(reversed([script.revision for script in scripts]))
    assert all(Path(script.path).name.startswith(f"{script.revision}_") for script in scripts)


_FIRST_ALLOCATIONS = (
    "SELECT count(*) FROM allocations JOIN instances ON instances.id = allocations.instance_id",
    "UPDATE instances SET zone = zone",
    "INSERT INTO events (at, kind, pool, actor) VALUES (now(), 'test', 'default', 'tester')",
)
_FIRST_INSTANCES = (
    "UPDATE instances SET zone = zone WHERE id = 'nobody'",
    "UPDATE allocations SET tagged = tagged",
    "UPDATE pools SET desired = desired",
)


def test_a_migration_ends_nothing_that_the_version_before_has_under_way(
    a_postgres_database: Callable[[], str],
) -> None:
    """It locks what they lock, in whatever order; PostgreSQL would end one of two that wait in a ring."""
    url = a_postgres_database()
    old = at_revision(url, "0003")
    over, under_way, troubles = Event(), Barrier(5), list[str]()

    def work(statements: tuple[str, ...]) -> None:
        begun = False
        while not over.is_set():
            try:
                with old.begin() as tx:
                    for statement in statements:
                        tx.execute(text(statement))
            except DBAPIError as error:
                troubles.append(str(error.orig))
            if not begun:
                begun = True
                under_way.wait(timeout=30)

    with ThreadPoolExecutor(4) as threads:
        for statements in (_FIRST_ALLOCATIONS, _FIRST_INSTANCES) * 2:
            threads.submit(work, statements)
        under_way.wait(timeout=30)
        try:
            open_database(url).dispose()
        finally:
            over.set()
    old.dispose()

    assert troubles == []
