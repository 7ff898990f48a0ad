"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "pools",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("group_name", sa.String),
        sa.Column("region", sa.String),
        sa.Column("desired", sa.Integer),
        sa.Column("min_size", sa.Integer),
        sa.Column("max_size", sa.Integer),
        sa.Column("limited_by", sa.String),
        sa.Column("notices", sa.JSON, nullable=False),
        sa.Column("last_pass_at", TIME),
        sa.Column("last_attempt_at", TIME),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("state_since", TIME, nullable=False),
        sa.Column("address", sa.String),
        sa.Column("port", sa.Integer),
        sa.Column("zone", sa.String),
        sa.Column("launched_at", TIME),
        sa.Column("in_service_since", TIME),
        sa.Column("missing_since", TIME),
        sa.Column("end_reason", sa.String),
        sa.Column("terminate_called_at", TIME),
        sa.CheckConstraint(
            "state IN ('booting', 'idle', 'allocated', 'terminating', 'terminated')", name="known_state"
        ),
        sa.CheckConstraint(
            "state NOT IN ('idle', 'allocated') OR (address IS NOT NULL AND port IS NOT NULL)",
            name="offered_with_address",
        ),
    )
    op.create_index("instances_by_state", "instances", ["pool", "state", "state_since"])
    op.create_table(
        "allocations",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("instance_id", sa.String, sa.ForeignKey("instances.id"), nullable=False),
        sa.Column("allocated_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("end_reason", sa.String),
        sa.Column("tagged", sa.Boolean, nullable=False),
    )
    op.create_index("one_allocation_per_instance", "allocations", ["instance_id"], unique=True)
    op.create_index(
        "one_live_allocation_per_project",
        "allocations",
        ["project"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "waiting",
        sa.Column("project", sa.String, primary_key=True),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("until", TIME, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("instance_id", sa.String),
        sa.Column("project", sa.String),
        sa.Column("reason", sa.String),
        sqlite_autoincrement=True,
    )
