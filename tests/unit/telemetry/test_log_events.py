"""The table of log lines and the code that writes them say the same."""

from collections import defaultdict

import pytest

from app.telemetry import log_events
from app.telemetry.log_events import LogEvent
from tests import logged

LISTED = list(log_events.all_events())
LEVELS = {"info", "warning", "error", "critical"}


def written() -> dict[str, list[logged.Call]]:
    found = defaultdict(list)
    for call in logged.calls():
        found[call.event].append(call)
    return found


def test_every_event_that_is_logged_is_listed_and_no_other() -> None:
    assert sorted(written()) == sorted(one.name for one in LISTED)


@pytest.mark.parametrize("event", LISTED, ids=lambda one: one.name)
def test_an_event_has_its_fields_wherever_it_is_logged(event: LogEvent) -> None:
    off = {
        call.where: sorted(call.fields) for call in written()[event.name] if call.fields != set(event.fields)
    }

    assert off == {}


@pytest.mark.parametrize("event", LISTED, ids=lambda one: one.name)
def test_an_event_is_logged_with_the_levels_it_is_listed_with(event: LogEvent) -> None:
    found = {call.level for call in written()[event.name]}

    assert set(event.levels) == (LEVELS if found == {None} else found)


@pytest.mark.parametrize("event", LISTED, ids=lambda one: one.name)
def test_an_event_has_a_traceback_where_it_is_listed_so(event: LogEvent) -> None:
    assert {call.exception for call in written()[event.name]} <= {event.exception, None}


def test_every_field_has_one_meaning() -> None:
    used = {name for one in LISTED for name in one.fields}

    assert sorted(log_events.FIELDS) == sorted(used)


def test_no_field_takes_the_name_of_one_that_every_line_has() -> None:
    shared = {*log_events.LINES, *log_events.OF_A_REQUEST, log_events.EXCEPTION}

    assert not shared & log_events.FIELDS.keys()


def test_every_logger_has_the_name_by_which_its_lines_are_found() -> None:
    assert {where: name for where, name in logged.loggers() if name != "log"} == {}


def test_no_other_way_of_logging_is_used() -> None:
    """What goes by the standard library is a library's message, and says nothing a program could go by."""
    home = {"app/telemetry/logs.py", "app/cli/program.py", "gunicorn.conf.py"}

    assert [file for file in logged.users_of("logging") if file not in home] == []
