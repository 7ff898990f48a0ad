"""Logs: what one line looks like, for programs and for people."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import structlog

from tests.own_output import Output, as_before


class Terminal(io.StringIO):
    """Standard output as a person sees it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    with as_before():
        yield


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

    assert {name: output.only[name] for name in ("event", "level", "logger", "detail")} == {
        "event": "library.message",
        "level": "warning",
        "logger": "gunicorn.error",
        "detail": "Worker 7 is late",
    }


@pytest.mark.parametrize(("number", "level"), [(25, "info"), (35, "warning"), (60, "critical")])
def test_a_librarys_level_without_a_name_is_the_one_below(output: Output, number: int, level: str) -> None:
    logging.getLogger("gunicorn.error").log(number, "by the way")

    assert output.only["level"] == level


def test_a_library_that_logs_what_does_not_fit_harms_nobody(output: Output) -> None:
    record = logging.LogRecord("gunicorn.error", logging.WARNING, "", 1, "%d workers", ("seven",), None)
    ours = logging.getLogger().handlers[0]  # pytest's own would raise
    ours.handle(record)

    assert output.only["detail"] == "%d workers ('seven',)"


def test_pythons_warnings_are_lines_too(output: Output) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("something is old", DeprecationWarning, stacklevel=1)

    assert (output.only["event"], output.only["logger"]) == ("library.message", "py.warnings")
    assert "something is old" in output.only["detail"]


def test_a_thread_that_ends_by_a_bug_is_told(output: Output) -> None:
    thread = threading.Thread(target=fail, args=("a bug",), name="probes")
    thread.start()
    thread.join()

    assert (output.only["event"], output.only["thread"]) == ("thread.crashed", "probes")
    assert "ValueError: a bug" in output.only["exception"]


def test_a_process_that_ends_by_a_bug_tells_it(output: Output) -> None:
    error = ValueError("a bug")
    sys.excepthook(ValueError, error, None)

    assert (output.only["event"], output.only["level"]) == ("process.crashed", "critical")
    assert "ValueError: a bug" in output.only["exception"]


def test_whoever_ends_a_process_is_no_bug(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)

    assert output.lines == []
    assert "KeyboardInterrupt" in capsys.readouterr().err


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
