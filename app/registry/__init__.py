"""The registry on SQLAlchemy Core: SQLite for one node, PostgreSQL for several."""
