"""When instances were last found ready, what they were launched from, and how many did not get ready.

Columns are added and none is changed: the version before this one goes on with the same tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("instances", sa.Column("ready_at", TIME))
    op.add_column("instances", sa.Column("template", sa.String))
    # What was idle had passed its probe then.
    op.execute("UPDATE instances SET ready_at = state_since WHERE state = 'idle'")
    op.add_column("pools", sa.Column("group_arn", sa.String))
    op.create_table(
        "boot_failures",
        sa.Column("pool", sa.String, primary_key=True),
        sa.Column("template", sa.String, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("instance_id", sa.String, nullable=False),
        sa.Column("failed_at", TIME, nullable=False),
    )
