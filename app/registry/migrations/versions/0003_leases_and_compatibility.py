"""Who leads, for how long, and which older versions can go on with these tables.

Tables are added and none is changed. But the pollers of the version before know nothing of leases, and would
run passes beside a leader: this is the oldest version that can go on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    leases = op.create_table(
        "leases",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("term", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String),
        sa.Column("since", TIME),
        sa.Column("expires_at", TIME),
    )
    op.bulk_insert(leases, [{"name": "passes", "term": 0}])
    compatibility = op.create_table("compatibility", sa.Column("oldest", sa.String, primary_key=True))
    op.bulk_insert(compatibility, [{"oldest": revision}])
