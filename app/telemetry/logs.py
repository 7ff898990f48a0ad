"""Logs: structlog to standard output, one line an event; libraries that log the standard way come along.

An event has a name that never changes (`pass.finished`), ids and figures as fields, and no secrets: all names
and fields stand in `app.telemetry.log_events`. What a library says is a field of `library.message`.
"""

import logging
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Literal

import structlog

from app.telemetry import rendering
from app.telemetry.output import Output

_TALKATIVE = {
    # It tells of every run and of every wake-up that met a running pass: the pass line says it all.
    "apscheduler": logging.ERROR,
    "alembic": logging.WARNING,
    "botocore": logging.WARNING,
}


def configure(log_format: Literal["auto", "json", "console"], secrets: Iterable[str] = ()) -> None:
    """Send every log line of this process to standard output; `auto` is for people only on a terminal.

    None of the `secrets` stands in any. Warnings are lines, and so is what ends a thread or the process.
    """
    terminal = sys.stdout.isatty()
    people = terminal if log_format == "auto" else log_format == "console"
    render = rendering.for_people(colours=terminal) if people else rendering.for_programs
    # Not by way of the standard library: a line costs half as much.
    output = Output(sys.stdout)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            rendering.Masked(render, secrets),
        ],
        logger_factory=lambda *_: output,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Libraries()]
    root.setLevel(logging.INFO)
    for name, level in _TALKATIVE.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    threading.excepthook = _thread_crashed
    sys.excepthook = _process_crashed


class _Libraries(logging.Handler):
    """Makes a line of ours of what a library says: that may be any text, so it cannot be the event."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write it."""
        log = structlog.get_logger()
        log.log(
            min(max(logging.INFO, record.levelno // 10 * 10), logging.CRITICAL),  # the others have no name
            "library.message",
            logger=record.name,
            detail=_said(record),
            exc_info=record.exc_info or None,
        )


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - what a library fills into its sentence may not fit: that is no news
        return f"{record.msg} {record.args}"


def _thread_crashed(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_type is not SystemExit:
        log = structlog.get_logger()
        log.error("thread.crashed", thread=crash.thread and crash.thread.name, exc_info=crash.exc_value)


def _process_crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, Exception):
        log = structlog.get_logger()
        log.critical("process.crashed", exc_info=error)
    else:
        sys.__excepthook__(kind, error, trace)
