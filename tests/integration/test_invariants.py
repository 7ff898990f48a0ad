"""What a database keeps by itself, whatever our code does: on SQLite and on real PostgreSQL."""

import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Connection, Engine, Table, insert
from sqlalchemy.exc import IntegrityError

from app.domain.errors import RegistryUnavailable
from app.domain.model import DEFAULT_POOL, InstanceState, ProjectId
from app.registry.database import open_database
from app.registry.schema import allocations, instances
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.databases import line, python

ALICE = ProjectId("alice")


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
from app.registry.transactions import Transactions
registry = SqlRegistry(Transactions(open_database(sys.argv[1])))
claimed = registry.claim("default", "alice", actor="tester", now=datetime(2026, 11, 22, 12, tzinfo=UTC))
print(claimed.allocation.instance, flush=True)
sys.stdin.readline()
"""


def test_a_claim_that_was_answered_survives_the_sudden_death_of_the_process(engine: Engine) -> None:
    registry = SqlRegistry(Transactions(engine))
    _idle(registry)
    claimer = python(CLAIMER, engine.url.render_as_string(hide_password=False))
    answered = line(claimer)

    claimer.send_signal(signal.SIGKILL)
    claimer.communicate(timeout=30)

    assert answered.startswith("i-")
    held = registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=NOW)
    assert (held.created, held.allocation.instance) == (False, answered)


# The critical section


def test_a_transaction_that_fails_is_rolled_back(engine: Engine) -> None:
    registry = SqlRegistry(Transactions(engine))

    with suppress(ZeroDivisionError), registry._exclusively() as tx:
        _instance("i-1")(tx)
        raise ZeroDivisionError

    assert registry.instances(DEFAULT_POOL) == {}


def test_a_transaction_that_fails_lets_the_next_one_in(engine: Engine) -> None:
    registry = SqlRegistry(Transactions(engine))
    with suppress(ZeroDivisionError), registry._exclusively() as tx:
        _instance("i-1")(tx)
        raise ZeroDivisionError

    other = Thread(target=_idle, args=(registry,), daemon=True)
    other.start()
    other.join(timeout=30)

    assert len(registry.instances(DEFAULT_POOL)) == 1


def test_a_locked_file_is_an_unavailable_registry_and_not_a_driver_error(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/registry.db")
    registry = SqlRegistry(Transactions(engine))
    try:
        with closing(sqlite3.connect(tmp_path / "registry.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(RegistryUnavailable):
                _idle(registry)
    finally:
        engine.dispose()


def _idle(registry: SqlRegistry) -> None:
    look = a_look()
    registry.discover(DEFAULT_POOL, look, now=NOW)
    registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)
