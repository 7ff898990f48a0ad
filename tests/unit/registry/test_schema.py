"""Times in the database: in UTC, and never without a zone."""

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from app.domain.model import InstanceState
from app.registry.schema import Utc, instances
from tests.builders import NOW

SQLITE: Dialect = sqlite.dialect()
POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
DIALECTS = pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])


def there_and_back(at: datetime | None, dialect: Dialect) -> datetime | None:
    """Write a time and read it, as the driver's side of it is on each of them."""
    return Utc().result_processor(dialect, None)(Utc().bind_processor(dialect)(at))


@DIALECTS
def test_a_time_without_a_zone_is_refused(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        Utc().bind_processor(dialect)(NOW.replace(tzinfo=None))


@DIALECTS
def test_a_time_comes_back_as_it_went(dialect: Dialect) -> None:
    assert there_and_back(NOW, dialect) == NOW


@DIALECTS
def test_a_time_of_another_zone_comes_back_in_utc(dialect: Dialect) -> None:
    back = there_and_back(NOW.astimezone(timezone(timedelta(hours=9))), dialect)

    assert back is not None
    assert (back, back.utcoffset()) == (NOW, timedelta(0))


@DIALECTS
def test_no_time_stays_no_time(dialect: Dialect) -> None:
    assert there_and_back(None, dialect) is None


def test_sqlite_stores_the_bare_time_in_utc() -> None:
    there = datetime(2026, 11, 22, 21, tzinfo=timezone(timedelta(hours=9)))

    assert Utc().bind_processor(SQLITE)(there) == "2026-11-22 12:00:00.000000"


def test_the_schema_names_every_state() -> None:
    checks = " ".join(str(getattr(rule, "sqltext", "")) for rule in instances.constraints)

    assert all(f"'{state}'" in checks for state in InstanceState)
