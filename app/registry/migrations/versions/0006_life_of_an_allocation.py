"""The line, the times of an allocation, how long launches take, and the outbox of the webhook.

Columns and tables are added and none is changed: the version before this one goes on with the same tables.
Until it has been replaced, it lets its own requests pass the line, and confirms nothing.
"""

import sqlalchemy as sa
from alembic import op

from app.registry.table_locks import lock

revision = "0006"
down_revision = "0005"

TIME = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    lock("allocations", "instances", "pools")
    op.add_column("allocations", sa.Column("warn_at", TIME))
    op.add_column("allocations", sa.Column("confirm_by", TIME))
    op.add_column("allocations", sa.Column("last_activity_at", TIME))
    op.add_column("allocations", sa.Column("idle_warned_at", TIME))
    op.add_column("allocations", sa.Column("heartbeat", sa.BigInteger))
    for name, column in (
        ("living_by_end", "expires_at"),
        ("living_by_warning", "warn_at"),
        ("living_by_confirmation", "confirm_by"),
    ):
        some = sa.text(f"ended_at IS NULL AND {column} IS NOT NULL")
        op.create_index(name, "allocations", ["pool", column], sqlite_where=some, postgresql_where=some)
    held = sa.text("held_until IS NOT NULL")
    op.create_index(
        "held_instances", "instances", ["pool", "held_until"], sqlite_where=held, postgresql_where=held
    )
    op.add_column("pools", sa.Column("limited_since", TIME))
    op.add_column("pools", sa.Column("limited_told", sa.String))
    op.create_table(
        "line",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("project", sa.String, nullable=False, unique=True),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("request", sa.String, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("line_of_pool", "line", ["pool", "id"])
    op.create_table(
        "launch_times",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
    op.create_index("launch_times_of_pool", "launch_times", ["pool", "id"])
    op.create_table(
        "outbox",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("message", sa.String, nullable=False, unique=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("body", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("begun_at", TIME, nullable=False),
        sa.Column("asked_at", TIME),
        sa.Column("due_at", TIME),
        sa.Column("refused_at", TIME),
        sa.Column("delivered_at", TIME),
        sa.Column("dead_at", TIME),
        sa.Column("last_error", sa.String),
        sqlite_autoincrement=True,
    )
    for name, columns, where in (
        ("outbox_by_due", ["due_at", "id"], "due_at IS NOT NULL"),
        ("outbox_by_begin", ["begun_at", "id"], "due_at IS NOT NULL"),
        ("outbox_by_refusal", ["refused_at"], "refused_at IS NOT NULL"),
        ("outbox_by_delivery", ["delivered_at", "id"], "delivered_at IS NOT NULL"),
        ("outbox_by_death", ["dead_at", "id"], "dead_at IS NOT NULL"),
    ):
        part = sa.text(where)
        op.create_index(name, "outbox", columns, sqlite_where=part, postgresql_where=part)
