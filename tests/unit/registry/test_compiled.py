"""Statements that are compiled once: they take and return what SQLAlchemy would."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, bindparam, create_engine, literal_column, select

from app.registry.compiled import Compiled


@pytest.fixture
def tx() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_the_only_value_of_a_statement_gets_there_whole(tx: Connection) -> None:
    statement = Compiled(select(bindparam("only").label("told")), tx.dialect)

    assert statement.rows(tx, {"only": "whole"}) == [("whole",)]


def test_a_statement_without_values_needs_none(tx: Connection) -> None:
    statement = Compiled(select(literal_column("1").label("told")), tx.dialect)

    assert statement.rows(tx, {}) == [(1,)]
