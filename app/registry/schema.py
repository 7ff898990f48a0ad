"""The tables, and the invariants that the database itself keeps.

A change here needs a migration in migrations/versions; a test proves that both give the same schema.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    text,
)

metadata = MetaData()

Serial = BigInteger().with_variant(Integer(), "sqlite")
"""A number the database gives. SQLite numbers only plain INTEGER keys, which are 64 bits wide there."""


class Utc(TypeDecorator[datetime]):
    """A point in time: aware and in UTC outside; SQLite, which has no zones, stores it bare."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """Refuse a naive time: nobody knows which zone it means. In one step, as for what is read."""
        return _bare if dialect.name == "sqlite" else _zoned

    def result_processor(self, dialect: Dialect, _type: object) -> Callable[[Any], datetime | None]:
        """Give the zone back, in one step: the two of process_result_value take ten times as long."""
        return _read if dialect.name == "sqlite" else _turned


def _zoned(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return value.astimezone(UTC)


def _bare(value: datetime | None) -> str | None:
    zoned = _zoned(value)
    return None if zoned is None else zoned.isoformat(" ", "microseconds").removesuffix("+00:00")


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


def _turned(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


pools = Table(
    "pools",
    metadata,
    Column("name", String, primary_key=True),
    Column("group_name", String),
    Column("region", String),
    Column("desired", Integer),
    Column("min_size", Integer),
    Column("max_size", Integer),
    Column("limited_by", String),
    Column("notices", JSON, nullable=False),
    Column("last_pass_at", Utc),
    Column("last_attempt_at", Utc),
    Column("group_arn", String),
    # What operators said: see domain/controls.py. The views of passes leave these alone.
    Column("buffer", Integer),
    Column("paused_at", Utc),
    Column("paused_by", String),
    Column("controls_version", Integer, nullable=False, server_default="0"),
    # Since when something else than before, or nothing, keeps the buffer from being met; and what of it was
    # told to the webhook last (null: that nothing does).
    Column("limited_since", Utc),
    Column("limited_told", String),
)

instances = Table(
    "instances",
    metadata,
    Column("id", String, primary_key=True),
    Column("pool", String, nullable=False),
    Column("state", String, nullable=False),
    Column("state_since", Utc, nullable=False),
    Column("address", String),
    Column("port", Integer),
    Column("zone", String),
    Column("launched_at", Utc),
    Column("in_service_since", Utc),
    Column("missing_since", Utc),
    Column("end_reason", String),
    Column("terminate_called_at", Utc),
    Column("ready_at", Utc),
    Column("template", String),
    Column("held_at", Utc),
    Column("held_by", String),
    Column("held_until", Utc),
    Column("hold_reason", String),
    CheckConstraint(
        "state IN ('booting', 'idle', 'allocated', 'terminating', 'terminated')", name="known_state"
    ),
    CheckConstraint(
        "state NOT IN ('idle', 'allocated') OR (address IS NOT NULL AND port IS NOT NULL)",
        name="offered_with_address",
    ),
    Index("instances_by_state", "pool", "state", "state_since"),
    Index(
        "held_instances",
        "pool",
        "held_until",
        sqlite_where=text("held_until IS NOT NULL"),
        postgresql_where=text("held_until IS NOT NULL"),
    ),
)

allocations = Table(
    "allocations",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("project", String, nullable=False),
    Column("pool", String, nullable=False),
    Column("instance_id", String, ForeignKey("instances.id"), nullable=False),
    Column("allocated_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("end_reason", String),
    Column("tagged", Boolean, nullable=False),
    # All these by the database's clock: see clock.py.
    Column("expires_at", Utc),
    Column("warn_at", Utc),  # when its end is to be announced; the end itself once it is
    Column("confirm_by", Utc),  # null once it is confirmed, or where it need not be
    Column("last_activity_at", Utc),
    Column("idle_warned_at", Utc),  # when its end for lack of use was announced; null once it is used again
    Column("heartbeat", BigInteger),  # as the instance told it last: milliseconds of its own clock
    # What ends by itself is looked for every second.
    *(
        Index(
            name,
            "pool",
            column,
            sqlite_where=text(f"ended_at IS NULL AND {column} IS NOT NULL"),
            postgresql_where=text(f"ended_at IS NULL AND {column} IS NOT NULL"),
        )
        for name, column in (
            ("living_by_end", "expires_at"),
            ("living_by_warning", "warn_at"),
            ("living_by_confirmation", "confirm_by"),
        )
    ),
    # An instance is handed out once in its life; a project holds at most one.
    Index("one_allocation_per_instance", "instance_id", unique=True),
    Index(
        "one_live_allocation_per_project",
        "project",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

boot_failures = Table(
    "boot_failures",
    metadata,
    Column("pool", String, primary_key=True),
    Column("template", String, primary_key=True),  # empty where the group does not say
    Column("failures", Integer, nullable=False),
    Column("instance_id", String, nullable=False),
    Column("failed_at", Utc, nullable=False),
)

waiting = Table(
    "waiting",
    metadata,
    Column("project", String, primary_key=True),
    Column("pool", String, nullable=False),
    Column("until", Utc, nullable=False),
)

line = Table(
    "line",
    metadata,
    # Who came first has the lowest number, whichever replica it came to.
    Column("id", Serial, primary_key=True),
    Column("project", String, nullable=False, unique=True),
    Column("pool", String, nullable=False),
    Column("request", String, nullable=False),  # the newest of the project's: no other may take its place
    Column("until", Utc, nullable=False),  # unless its replica says before that it still waits
    Index("line_of_pool", "pool", "id"),
    sqlite_autoincrement=True,  # a number is never used twice, or who comes now could stand before others
)

launch_times = Table(
    "launch_times",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("pool", String, nullable=False),
    Column("seconds", Float, nullable=False),
    Index("launch_times_of_pool", "pool", "id"),
)
"""How long the last instances of each pool took from their launch until they could be handed out."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("message", String, nullable=False, unique=True),  # its id for those who get it
    Column("kind", String, nullable=False),
    Column("pool", String, nullable=False),
    Column("at", Utc, nullable=False),
    Column("body", String, nullable=False),  # as it is sent, each time the same
    Column("attempts", Integer, nullable=False),
    # All of these by the database's clock.
    Column("begun_at", Utc, nullable=False),  # when it was written, or asked for again
    Column("asked_at", Utc),  # when it was asked for again; null once that was tried
    Column("due_at", Utc),  # when it is to be sent; null once it was delivered or given up
    Column("refused_at", Utc),  # since when it is not taken; null where it is not to be sent
    Column("delivered_at", Utc),
    Column("dead_at", Utc),  # when it was given up
    Column("last_error", String),
    # However many were delivered: what is looked for each second is found among the others alone.
    *(
        Index(name, *columns, sqlite_where=text(some), postgresql_where=text(some))
        for name, columns, some in (
            ("outbox_by_due", ("due_at", "id"), "due_at IS NOT NULL"),
            ("outbox_by_begin", ("begun_at", "id"), "due_at IS NOT NULL"),
            ("outbox_by_refusal", ("refused_at",), "refused_at IS NOT NULL"),
            ("outbox_by_delivery", ("delivered_at", "id"), "delivered_at IS NOT NULL"),
            ("outbox_by_death", ("dead_at", "id"), "dead_at IS NOT NULL"),
        )
    ),
    sqlite_autoincrement=True,  # numbers are never used twice, so they can serve as a cursor
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("term", BigInteger, nullable=False),
    Column("holder", String),
    Column("since", Utc),
    Column("expires_at", Utc),
)

compatibility = Table(
    "compatibility",
    metadata,
    # The oldest schema whose code can go on with these tables, so that replicas of two versions can run side
    # by side while one follows the other. One row; each migration that changes it says so.
    Column("oldest", String, primary_key=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("digest", String, nullable=False),  # of the secret, which is not kept
    Column("created_at", Utc, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expires_at", Utc),
    Column("revoked_at", Utc),
    Column("last_used_at", Utc),
    Index(
        "one_token_per_name",
        "name",
        unique=True,
        sqlite_where=text("revoked_at IS NULL"),
        postgresql_where=text("revoked_at IS NULL"),
    ),
)

events = Table(
    "events",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("kind", String, nullable=False),
    Column("pool", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("instance_id", String),
    Column("project", String),
    Column("reason", String),
    Index("events_by_project", "project", "id"),
    Index("events_by_instance", "instance_id", "id"),
    sqlite_autoincrement=True,  # ids are never used twice, so they can serve as a cursor
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String, primary_key=True),  # of the cookie, which is not kept
    Column("credential", String, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("pool", String, primary_key=True),
    # The grain of time, counted since 1970: whole numbers can be put together by any database.
    Column("grain", BigInteger, primary_key=True, autoincrement=False),
    Column("idle", Integer, nullable=False),
    Column("allocated", Integer, nullable=False),
    Column("booting", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),
    Column("buffer", Integer, nullable=False),
    Column("desired", Integer),
    Index("samples_by_age", "grain"),
)

replicas = Table(
    "replicas",
    metadata,
    Column("name", String, primary_key=True),
    Column("version", String, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Column("serves", Boolean, nullable=False),
    Column("polls", Boolean, nullable=False),
)
