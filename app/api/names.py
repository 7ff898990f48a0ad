"""How names look, as patterns for documents and for bodies; `app.domain.model` decides, and says why not."""

PROJECT = "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
POOL = "^[a-z0-9][a-z0-9_-]{0,62}$"
INSTANCE = "^i-([0-9a-f]{8}|[0-9a-f]{17})$"
ONE_LINE = "^[^\\x00-\\x1f\\x7f]*$"
"""Text without control characters: they would spoil a log, and not every database keeps them."""
