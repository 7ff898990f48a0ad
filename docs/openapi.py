"""`make openapi`: write docs/reference/openapi.json anew; with --check, only tell whether it is stale."""

import sys
from pathlib import Path
from typing import Any

from flask import Flask

from app.web import create_app
from app.web.docs import written
from app.web.document import document

FILE = Path(__file__).parent / "reference" / "openapi.json"


def interface() -> Flask:
    """Return the application with nothing behind it: its routes can be listed, and none be used."""
    nothing: Any = object()
    return create_app(
        allocator=nothing,
        catalogue=nothing,
        operator=nothing,
        status_reader=nothing,
        gate=nothing,
        sessions=nothing,
        metrics=nothing,
        history=nothing,
        presence=nothing,
        mailbox=nothing,
        clock=nothing,
    )


def stale() -> bool:
    """Whether the committed document is not what the code says."""
    return not FILE.exists() or FILE.read_text() != written(document(interface()))


def main() -> None:
    """Write, or check."""
    if "--check" in sys.argv:
        sys.exit("Stale, run make openapi: docs/reference/openapi.json" if stale() else 0)
    FILE.write_text(written(document(interface())))


if __name__ == "__main__":
    main()
