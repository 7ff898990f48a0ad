"""Logs: what one line looks like, for programs and for people."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest
import structlog

from app.telemetry.logs import configure


class Terminal(io.StringIO):
    """Standard output as a person sees it."""

    def isatty(self) -> bool:
        return True


class Output:
    """What a process writes to standard output, once its logs are configured."""

    def __init__(self, log_format: Literal["auto", "json", "console"], stdout: io.StringIO) -> None:
        self._stdout = stdout
        with redirect_stdout(stdout):
            configure(log_format)
        self.log = structlog.get_logger("test")

    @property
    def lines(self) -> list[str]:
        return self._stdout.getvalue().splitlines()

    @property
    def only(self) -> dict[str, Any]:
        """The one line there is, read as a program would."""
        (line,) = self.lines
        read: dict[str, Any] = json.loads(line)
        return read


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging belongs to the whole process: give it back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    names = ("apscheduler", "alembic", "botocore")
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name in names:
        logging.getLogger(name).setLevel(levels[name])
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def output() -> Output:
    return Output("json", io.StringIO())


def fail(text: str) -> None:
    raise ValueError(text)


def test_a_line_is_one_json_object_with_its_event(output: Output) -> None:
    output.log.info("pass.finished", idle=5)

    assert (output.only["event"], output.only["idle"]) == ("pass.finished", 5)


def test_a_line_has_its_level(output: Output) -> None:
    output.log.warning("action.failed")

    assert output.only["level"] == "warning"


def test_a_line_has_its_time_in_utc(output: Output) -> None:
    output.log.info("pass.finished")

    assert datetime.fromisoformat(output.only["timestamp"]).utcoffset() == timedelta(0)


def test_each_event_is_a_line(output: Output) -> None:
    for _ in range(3):
        output.log.info("pass.finished")

    assert [json.loads(line)["event"] for line in output.lines] == ["pass.finished"] * 3


def test_text_of_several_lines_stays_in_one(output: Output) -> None:
    output.log.info("action.failed", detail="first\nsecond")

    assert output.only["detail"] == "first\nsecond"


def test_a_value_that_json_does_not_know_is_written_all_the_same(output: Output) -> None:
    output.log.info("pass.finished", found={"i-1"})

    assert "i-1" in output.only["found"]


def test_an_exception_is_told_in_the_same_line(output: Output) -> None:
    try:
        fail("a bug")
    except ValueError:
        output.log.exception("pass.crashed")

    assert output.only["event"] == "pass.crashed"
    assert "ValueError: a bug" in output.only["exception"]


def test_a_library_that_logs_the_standard_way_comes_along(output: Output) -> None:
    logging.getLogger("gunicorn.error").warning("Worker %s is late", 7)

    assert (output.only["event"], output.only["level"]) == ("Worker 7 is late", "warning")


def test_a_librarys_exception_is_told_in_the_same_line(output: Output) -> None:
    try:
        fail("theirs")
    except ValueError:
        logging.getLogger("gunicorn.error").exception("It failed")

    assert "ValueError: theirs" in output.only["exception"]


def test_what_is_bound_to_the_request_stands_on_every_line(output: Output) -> None:
    structlog.contextvars.bind_contextvars(request="r-1")
    logging.getLogger("werkzeug").info("a line of a library")

    assert output.only["request"] == "r-1"


@pytest.mark.parametrize(
    ("name", "level"),
    [("apscheduler.scheduler", logging.WARNING), ("alembic", logging.INFO), ("botocore", logging.INFO)],
)
def test_talkative_libraries_are_quiet(output: Output, name: str, level: int) -> None:
    logging.getLogger(name).log(level, "by the way")

    assert output.lines == []


def test_debug_lines_are_left_out(output: Output) -> None:
    output.log.debug("by.the.way")

    assert output.lines == []


def test_configuring_again_doubles_no_line() -> None:
    stdout = io.StringIO()
    Output("json", stdout)
    again = Output("json", stdout)

    again.log.info("pass.finished")

    assert again.only["event"] == "pass.finished"


def test_auto_is_json_where_nobody_watches() -> None:
    output = Output("auto", io.StringIO())
    output.log.info("pass.finished")

    assert output.only["event"] == "pass.finished"


def test_auto_is_for_people_on_a_terminal() -> None:
    output = Output("auto", Terminal())
    output.log.info("pass.finished")

    with pytest.raises(json.JSONDecodeError):
        json.loads(output.lines[0])


def test_json_may_be_asked_for_on_a_terminal() -> None:
    output = Output("json", Terminal())
    output.log.info("pass.finished")

    assert output.only["event"] == "pass.finished"


def test_text_for_people_may_be_asked_for_in_a_file_and_has_no_colours() -> None:
    output = Output("console", io.StringIO())
    output.log.info("pass.finished", pool="default")

    assert "pass.finished" in output.lines[0]
    assert "\x1b" not in output.lines[0]


def test_people_are_spared_the_fields_that_say_nothing() -> None:
    output = Output("console", io.StringIO())
    output.log.info("pass.finished", limited_by=None, idle=0)

    assert "limited_by" not in output.lines[0]
    assert "idle=0" in output.lines[0]


def test_people_see_exceptions_too() -> None:
    output = Output("console", io.StringIO())
    try:
        fail("a bug")
    except ValueError:
        output.log.exception("pass.crashed")

    assert any("a bug" in line for line in output.lines)
