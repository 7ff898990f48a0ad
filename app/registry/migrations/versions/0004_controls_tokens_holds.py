"""Controls of pools, tokens, time limits, holds, and the audit trail by project and by instance.

Columns and tables are added and none is changed: the version before this one goes on with the same tables,
and knows nothing of holds, time limits and pauses until it has been replaced.
"""

import sqlalchemy as sa
from alembic import op

from app.registry.table_locks import lock

revision = "0004"
down_revision = "0003"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    lock("allocations", "instances", "pools", "events")
    op.add_column("pools", sa.Column("buffer", sa.Integer))
    op.add_column("pools", sa.Column("paused_at", TIME))
    op.add_column("pools", sa.Column("paused_by", sa.String))
    op.add_column("pools", sa.Column("controls_version", sa.Integer, nullable=False, server_default="0"))
    op.add_column("instances", sa.Column("held_at", TIME))
    op.add_column("instances", sa.Column("held_by", sa.String))
    op.add_column("instances", sa.Column("held_until", TIME))
    op.add_column("instances", sa.Column("hold_reason", sa.String))
    op.add_column("allocations", sa.Column("expires_at", TIME))
    op.create_index("events_by_project", "events", ["project", "id"])
    op.create_index("events_by_instance", "events", ["instance_id", "id"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.Column("last_used_at", TIME),
    )
    op.create_index(
        "one_token_per_name",
        "tokens",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
