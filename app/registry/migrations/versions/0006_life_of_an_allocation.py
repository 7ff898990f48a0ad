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
    lock("allocations", "pools")
    op.add_column("allocations", sa.Column("warn_at", TIME))
    op.add_column("allocations", sa.Column("confirm_by", TIME))
    op.add_column("allocations", sa.Column("last_activity_at", TIME))
    op.add_column("allocations", sa.Column("idle_warned_at", TIME))
    op.add_column("allocations", sa.Column("heartbeat", sa.BigInteger))
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
        sa.Column("due_at", TIME),
        sa.Column("delivered_at", TIME),
        sa.Column("dead_at", TIME),
        sa.Column("last_error", sa.String),
    )
    op.create_index("outbox_by_due", "outbox", ["due_at"])
