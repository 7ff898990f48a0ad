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
    op.add_column("pools", sa.Column("boot_failures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("pools", sa.Column("boot_failed_template", sa.String))
    op.add_column("pools", sa.Column("boot_failed_instance", sa.String))
    op.add_column("pools", sa.Column("boot_failed_at", TIME))
