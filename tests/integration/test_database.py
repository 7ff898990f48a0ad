"""Opening a database, and what a database keeps by itself: on SQLite and on real PostgreSQL."""

import secrets
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, Table, create_engine, insert, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from app.domain.errors import PoolExhausted, RegistryUnavailable, RegistryUnusable
from app.domain.model import DEFAULT_POOL, InstanceState, PoolView, ProjectId
from app.registry.database import open_database
from app.registry.schema import allocations, instances
from app.registry.sql import SqlRegistry
from tests.builders import NOW, a_look
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SECRET = "correct-horse-battery"
ALICE = ProjectId("alice")


def refusal(url: str) -> str:
    """What opening this database is refused with; it must be refused."""
    with pytest.raises(RegistryUnusable) as caught:
        open_database(url)
    return caught.value.detail


@pytest.fixture
def opened(database_url: str) -> str:
    """Name a database that this version has used before."""
    open_database(database_url).dispose()
    return database_url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


# Refusals


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "unable to open" in refusal(f"sqlite:///{tmp_path}")


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("not a folder")

    assert "cannot be made" in refusal(f"sqlite:///{tmp_path}/plain/registry.db")


def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(file: Path) -> None:
    file.write_bytes(b"These are my notes, and by no means a database.\n" * 100)
    before = file.read_bytes()

    assert "not a database" in refusal(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_database_that_may_only_be_read_is_refused(file: Path) -> None:
    open_database(f"sqlite:///{file}").dispose()
    before = file.read_bytes()

    assert "readonly" in refusal(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert file.read_bytes() == before


def test_a_postgresql_database_that_may_only_be_read_is_refused(
    a_postgres_database: Callable[[], str],
) -> None:
    url = a_postgres_database()
    open_database(url).dispose()
    with _as_owner(url) as owner:
        owner.execute(f'ALTER DATABASE "{make_url(url).database}" SET default_transaction_read_only = on')

    assert "read-only" in refusal(url)


def test_a_database_of_a_newer_version_is_refused(opened: str) -> None:
    with _plainly(opened) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert "newer version of this service (schema 9999)" in refusal(opened)


def test_a_file_of_a_newer_version_is_left_as_it_was(file: Path) -> None:
    open_database(f"sqlite:///{file}").dispose()
    with _file(file) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = file.read_bytes()

    refusal(f"sqlite:///{file}")

    assert file.read_bytes() == before


def test_another_programs_tables_are_refused_and_stay(database_url: str) -> None:
    with _plainly(database_url) as connection:
        connection.execute(text("CREATE TABLE events (what TEXT)"))
        connection.execute(text("INSERT INTO events VALUES ('theirs')"))

    assert "tables of another program" in refusal(database_url)
    with _plainly(database_url) as connection:
        assert connection.execute(text("SELECT what FROM events")).scalar_one() == "theirs"


def test_another_programs_file_is_left_as_it_was(file: Path) -> None:
    with _file(file) as database:
        database.execute("CREATE TABLE events (what TEXT)")
    before = file.read_bytes()

    refusal(f"sqlite:///{file}")

    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:pool?mode=memory&uri=true",
    ],
)
def test_a_database_in_memory_is_refused(url: str) -> None:
    assert "memory" in refusal(url)


@pytest.mark.parametrize("driver", ["mysql", "postgresql+asyncpg", "postgresql", "oracle"])
def test_a_database_that_we_do_not_know_is_refused(driver: str) -> None:
    assert "not supported" in refusal(f"{driver}://user:{SECRET}@127.0.0.1/pool")


def test_a_server_that_is_not_there_is_refused() -> None:
    assert "127.0.0.1" in refusal("postgresql+psycopg://user@127.0.0.1:1/pool")


def test_a_database_that_is_not_there_is_refused(a_postgres_database: Callable[[], str]) -> None:
    assert "does not exist" in refusal(f"{a_postgres_database()}_not")


def test_a_wrong_password_is_refused(a_postgres_database: Callable[[], str]) -> None:
    url = make_url(a_postgres_database())
    with _a_login(url.render_as_string(hide_password=False)) as role:
        wrong = url.set(username=role, password="wrong").render_as_string(hide_password=False)

        assert "password authentication failed" in refusal(wrong)


UNUSABLE = [
    f"postgresql+psycopg://user:{SECRET}@127.0.0.1:1/pool",
    f"postgresql+psycopg://user:{SECRET}@127.0.0.1:port/pool",
    f"postgresql+psycopg:/user:{SECRET}@127.0.0.1/pool",
    f"mysql://user:{SECRET}@127.0.0.1/pool",
    f"user:{SECRET}@127.0.0.1",
    "sqlite:////proc/registry.db",
    "",
]


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_refusal_is_one_line(url: str) -> None:
    assert len(refusal(url).splitlines()) == 1


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_refusal_keeps_the_password(url: str) -> None:
    assert SECRET not in refusal(url)


# What is set


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_every_sqlite_connection_keeps_what_it_promised(file: Path, pragma: str, value: object) -> None:
    engine = open_database(f"sqlite:///{file}")
    try:
        with engine.connect() as first, engine.connect() as second:
            found = [one.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for one in (first, second)]
    finally:
        engine.dispose()

    assert found == [value, value]


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/some/where/registry.db").dispose()

    assert (tmp_path / "some/where/registry.db").is_file()


def test_an_old_database_is_opened_again(opened: str) -> None:
    open_database(opened).dispose()


# Several at once


def test_threads_that_open_a_new_database_at_once_all_can(database_url: str) -> None:
    start = Barrier(6)

    def open_it(_number: int) -> int:
        start.wait(timeout=30)
        engine = open_database(database_url, connections=2)
        try:
            return SqlRegistry(engine).newest_event()
        finally:
            engine.dispose()

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(open_it, range(6))) == [0] * 6


OPENER = """
import sys
from app.registry.database import open_database
print("ready", flush=True)
sys.stdin.readline()
open_database(sys.argv[1]).dispose()
"""


def test_processes_that_open_a_new_database_at_once_all_can(database_url: str) -> None:
    openers = [_python(OPENER, database_url) for _ in range(3)]
    for opener in openers:
        assert _line(opener) == "ready"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("now\n")
        opener.stdin.flush()

    told = [opener.communicate(timeout=30)[1] for opener in openers]
    assert [opener.returncode for opener in openers] == [0, 0, 0], told


# Invariants that no code of ours can break


def _put(table: Table, **values: object) -> Callable[[Connection], None]:
    return lambda connection: _execute(connection, table, values)


def _execute(connection: Connection, table: Table, values: dict[str, object]) -> None:
    connection.execute(insert(table), values)


def _instance(identity: str, state: str = "allocated", **values: object) -> Callable[[Connection], None]:
    plain = {"pool": "default", "state_since": NOW, "address": "10.0.0.1", "port": 8080}
    return _put(instances, **{**plain, "id": identity, "state": state, **values})


def _allocation(instance: str, project: str, **values: object) -> Callable[[Connection], None]:
    plain = {"pool": "default", "allocated_at": NOW, "tagged": False}
    return _put(allocations, **{**plain, "instance_id": instance, "project": project, **values})


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param([_instance("i-1"), _instance("i-1")], id="an instance twice"),
        pytest.param(
            [_instance("i-1"), _instance("i-2"), _allocation("i-1", "alice"), _allocation("i-2", "alice")],
            id="a project with two instances",
        ),
        pytest.param(
            [_instance("i-1"), _allocation("i-1", "alice"), _allocation("i-1", "bob")],
            id="an instance with two projects",
        ),
        pytest.param(
            [_instance("i-1"), _allocation("i-1", "alice", ended_at=NOW), _allocation("i-1", "bob")],
            id="an instance handed out a second time",
        ),
        pytest.param([_allocation("i-1", "alice")], id="an allocation of nothing"),
        pytest.param([_instance("i-1", "idle", address=None)], id="an idle instance without an address"),
        pytest.param([_instance("i-1", "idle", port=None)], id="an idle instance without a port"),
        pytest.param([_instance("i-1", "allocated", address=None)], id="a held instance without an address"),
        pytest.param([_instance("i-1", "resting")], id="an unknown state"),
    ],
)
def test_the_schema_refuses(engine: Engine, writes: list[Callable[[Connection], None]]) -> None:
    with engine.connect() as connection:
        for write in writes[:-1]:
            write(connection)
        with pytest.raises(IntegrityError):
            writes[-1](connection)


def test_the_schema_lets_a_project_have_one_instance_after_another(engine: Engine) -> None:
    with engine.begin() as connection:
        for write in [
            _instance("i-1", "terminating"),
            _instance("i-2"),
            _allocation("i-1", "alice", ended_at=NOW),
            _allocation("i-2", "alice"),
        ]:
            write(connection)


@pytest.mark.parametrize("state", InstanceState)
def test_the_schema_takes_every_state_there_is(engine: Engine, state: InstanceState) -> None:
    with engine.begin() as connection:
        _instance("i-1", state.value)(connection)


# Durability


CLAIMER = """
import sys
from datetime import UTC, datetime
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
registry = SqlRegistry(open_database(sys.argv[1]))
claimed = registry.claim("default", "alice", actor="tester", now=datetime(2026, 11, 22, 12, tzinfo=UTC))
print(claimed.allocation.instance, flush=True)
sys.stdin.readline()
"""


def test_a_claim_that_was_answered_survives_the_sudden_death_of_the_process(engine: Engine) -> None:
    registry = SqlRegistry(engine)
    _idle(registry)
    claimer = _python(CLAIMER, engine.url.render_as_string(hide_password=False))
    answered = _line(claimer)

    claimer.send_signal(signal.SIGKILL)
    claimer.communicate(timeout=30)

    assert answered.startswith("i-")
    held = registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=NOW)
    assert (held.created, held.allocation.instance) == (False, answered)


# The critical section


def test_a_transaction_that_fails_is_rolled_back(engine: Engine) -> None:
    registry = SqlRegistry(engine)

    with suppress(ZeroDivisionError), registry._exclusively() as tx:
        _instance("i-1")(tx)
        raise ZeroDivisionError

    assert registry.instances(DEFAULT_POOL) == {}


def test_a_transaction_that_fails_lets_the_next_one_in(engine: Engine) -> None:
    registry = SqlRegistry(engine)
    with suppress(ZeroDivisionError), registry._exclusively() as tx:
        _instance("i-1")(tx)
        raise ZeroDivisionError

    other = Thread(target=_idle, args=(registry,), daemon=True)
    other.start()
    other.join(timeout=10)

    assert len(registry.instances(DEFAULT_POOL)) == 1


def test_a_locked_file_is_an_unavailable_registry_and_not_a_driver_error(file: Path) -> None:
    engine = open_database(f"sqlite:///{file}")
    registry = SqlRegistry(engine)
    try:
        with _file(file) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(RegistryUnavailable):
                _idle(registry)
    finally:
        engine.dispose()


# A server that goes away


def test_a_server_that_went_away_is_an_unavailable_registry(a_postgres_database: Callable[[], str]) -> None:
    engine = open_database(a_postgres_database(), connections=2)
    registry = SqlRegistry(engine)
    try:
        with _away(engine):
            for use in (
                registry.ping,
                registry.newest_event,
                lambda: _claim(registry),
                lambda: _idle(registry),
            ):
                with pytest.raises(RegistryUnavailable):
                    use()
    finally:
        engine.dispose()


def test_a_server_that_goes_away_in_the_middle_is_an_unavailable_registry(
    a_postgres_database: Callable[[], str],
) -> None:
    engine = open_database(a_postgres_database(), connections=2)
    registry = SqlRegistry(engine)
    try:
        with pytest.raises(RegistryUnavailable):
            _lose_the_server_in_a_transaction(registry, engine)
        assert registry.instances(DEFAULT_POOL) == {}
    finally:
        engine.dispose()


def test_a_server_that_came_back_is_used_again_at_once(a_postgres_database: Callable[[], str]) -> None:
    engine = open_database(a_postgres_database(), connections=2)
    registry = SqlRegistry(engine)
    instance = _idle(registry)
    try:
        with _away(engine), pytest.raises(RegistryUnavailable):
            registry.ping()

        assert _claim(registry) == instance
    finally:
        engine.dispose()


def _lose_the_server_in_a_transaction(registry: SqlRegistry, engine: Engine) -> None:
    with registry._exclusively() as tx:
        _instance("i-1")(tx)
        with _away(engine):
            _instance("i-2")(tx)


def _claim(registry: SqlRegistry) -> str:
    try:
        return registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=NOW).allocation.instance
    except PoolExhausted:
        return ""


def _idle(registry: SqlRegistry) -> str:
    look = a_look()
    registry.discover(DEFAULT_POOL, look, now=NOW)
    registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)
    return look.id


@contextmanager
def _plainly(url: str) -> Iterator[Connection]:
    """One transaction on a database, without anything of ours."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _file(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


@contextmanager
def _as_owner(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to the same server, but not to this database."""
    maintenance = make_url(url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(maintenance.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


@contextmanager
def _away(engine: Engine) -> Iterator[None]:
    """Have the server end every connection to this database, and take no new one, while the block runs."""
    name = engine.url.database
    with _as_owner(engine.url.render_as_string(hide_password=False)) as owner:
        owner.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
        finally:
            owner.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


@contextmanager
def _a_login(url: str) -> Iterator[str]:
    """Make a role that must give its password; the test server itself asks nobody for one."""
    role = f"role_{secrets.token_hex(6)}"
    with _as_owner(url) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'")
        (rules,) = owner.execute("SELECT pg_read_file(current_setting('hba_file'))").fetchone() or ("",)
        _write_rules(owner, [f"host all {role} all scram-sha-256", *_lines(rules)])
        try:
            yield role
        finally:
            _write_rules(owner, _lines(rules))
            owner.execute(f"DROP ROLE {role}")


def _lines(rules: str) -> list[str]:
    return [line for line in rules.splitlines() if line.strip() and not line.startswith("#")]


def _write_rules(owner: psycopg.Connection[Any], rules: list[str]) -> None:
    (path,) = owner.execute("SELECT current_setting('hba_file')").fetchone() or ("",)
    (before,) = owner.execute("SELECT pg_conf_load_time()").fetchone() or (None,)
    values = ", ".join(psycopg.sql.Literal(rule).as_string(owner) for rule in rules)
    owner.execute(f"COPY (SELECT unnest(ARRAY[{values}])) TO '{path}'")
    owner.execute("SELECT pg_reload_conf()")
    until(lambda: (owner.execute("SELECT pg_conf_load_time()").fetchone() or (before,))[0] != before)


def _python(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_threads_of_one_process_can_each_open_a_new_database(tmp_path: Path) -> None:
    start = Barrier(4)

    def open_one(number: int) -> str:
        start.wait(timeout=30)
        engine = open_database(f"sqlite:///{tmp_path}/{number}.db")
        try:
            SqlRegistry(engine).ping()
            return engine.dialect.name
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(open_one, range(4))) == ["sqlite"] * 4


# Whose database it is


def test_a_database_belongs_to_the_group_of_its_first_start(engine: Engine) -> None:
    registry = SqlRegistry(engine)
    registry.belong_to(DEFAULT_POOL, group="vscode-asg", region="eu-west-1")

    registry.belong_to(DEFAULT_POOL, group="vscode-asg", region="eu-west-1")
    for group, region in [("another-asg", "eu-west-1"), ("vscode-asg", "us-east-1")]:
        with pytest.raises(RegistryUnusable, match="belongs to the group 'vscode-asg' in eu-west-1"):
            registry.belong_to(DEFAULT_POOL, group=group, region=region)


def test_the_group_of_a_database_survives_the_passes(engine: Engine) -> None:
    registry = SqlRegistry(engine)
    registry.belong_to(DEFAULT_POOL, group="vscode-asg", region="eu-west-1")
    registry.record_view(PoolView(pool=DEFAULT_POOL))

    with pytest.raises(RegistryUnusable):
        registry.belong_to(DEFAULT_POOL, group="another-asg", region="eu-west-1")
