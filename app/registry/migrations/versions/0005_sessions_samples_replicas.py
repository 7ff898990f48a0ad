"""Sessions of people, samples of the pools over the last hours, and the replicas there are.

Tables are added and none is changed: the version before this one goes on with the same database.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("credential", sa.String, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("pool", sa.String, primary_key=True),
        sa.Column("grain", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("idle", sa.Integer, nullable=False),
        sa.Column("allocated", sa.Integer, nullable=False),
        sa.Column("booting", sa.Integer, nullable=False),
        sa.Column("waiting", sa.Integer, nullable=False),
        sa.Column("buffer", sa.Integer, nullable=False),
        sa.Column("desired", sa.Integer),
    )
    op.create_index("samples_by_age", "samples", ["grain"])
    op.create_table(
        "replicas",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("serves", sa.Boolean, nullable=False),
        sa.Column("polls", sa.Boolean, nullable=False),
    )
