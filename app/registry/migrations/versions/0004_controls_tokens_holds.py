"""Controls of pools, tokens, time limits, holds, and the audit trail by project and by instance.

Columns and tables are added and none is changed: the version before this one goes on with the same tables,
and knows nothing of holds, time limits and pauses until it has been replaced.

On PostgreSQL replicas of that version work on these tables meanwhile. Each change locks its table, and taken
one by one, in another order than theirs, these locks would make deadlocks, which end claims. So all are taken
first, and where that does not succeed quickly, none is kept: it is this transaction that waits.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TIME = sa.DateTime(timezone=True)


TABLES = "allocations, instances, pools, events"
PATIENCE = 300


def _lock_all() -> None:
    """Lock what is changed, together; sooner given up than PostgreSQL looks for deadlocks (after 1 s)."""
    connection = op.get_bind()
    for _ in range(PATIENCE):
        try:
            with connection.begin_nested():
                connection.execute(sa.text("SET LOCAL lock_timeout = '300ms'"))
                connection.execute(sa.text(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE"))
                connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
        except sa.exc.OperationalError:
            connection.execute(sa.text("SELECT pg_sleep(0.1 + random() / 5)"))
        else:
            return
    raise TimeoutError("Others use the database's tables all the time: stop the replicas, and start again.")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _lock_all()
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
