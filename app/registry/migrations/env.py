"""Alembic's entry: runs migrations on the connection that database.py hands over."""

from alembic import context

from app.registry.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite can: a migration is done whole, or not at all
)
with context.begin_transaction():
    context.run_migrations()
