"""Times that are only to be shown, read as the text that is sent."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, TypeDecorator

from app.api.base import iso


class Written(TypeDecorator[str]):
    """A column of times, for `type_coerce`: reads `2026-11-22T20:15:00.000Z`, and takes no values."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def result_processor(self, dialect: Dialect, _type: object) -> Callable[[Any], str | None]:
        """Write it: SQLite has a text that needs only be cut, others have a time."""
        return _cut if dialect.name == "sqlite" else _told


def _cut(text: str | None) -> str | None:
    """From `2026-11-22 20:15:00.000000`, which is UTC."""
    return None if text is None else f"{text[:10]}T{text[11:23]}Z"


def _told(at: datetime | None) -> str | None:
    return None if at is None else iso(at.astimezone(UTC))
