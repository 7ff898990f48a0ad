"""What a process writes to standard output once its logs are configured."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, Literal

import structlog

from app.telemetry.logs import configure


class Output:
    """The lines of one process."""

    def __init__(
        self,
        log_format: Literal["auto", "json", "console"],
        stdout: io.StringIO,
        secrets: Iterable[str] = (),
    ) -> None:
        self._stdout = stdout
        with redirect_stdout(stdout):
            configure(log_format, secrets)
        # The loggers of the code outlive this test: they must not keep its output.
        structlog.configure(**{**structlog.get_config(), "cache_logger_on_first_use": False})
        self.log = structlog.get_logger("test")

    @property
    def text(self) -> str:
        return self._stdout.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def read(self) -> list[dict[str, Any]]:
        """The lines as a program reads them."""
        return [json.loads(line) for line in self.lines]

    @property
    def only(self) -> dict[str, Any]:
        """The one line there is."""
        (line,) = self.read
        return line


@contextmanager
def as_before() -> Iterator[None]:
    """Logging belongs to the whole process: give it back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    names = ("apscheduler", "alembic", "botocore")
    levels = {name: logging.getLogger(name).level for name in names}
    hooks = sys.excepthook, threading.excepthook
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(levels[name])
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
