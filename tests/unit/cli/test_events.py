"""`events`: the audit trail, and following it."""

import json

from tests.answering import AnsweringService, problem
from tests.unit.cli import wire
from tests.unit.cli.shell import Shell


def told(output: str) -> list[str]:
    """The events of lines that stand alone."""
    return [line.split()[1] for line in output.splitlines()]


def test_the_newest_event_comes_last(shell: Shell) -> None:
    lines = shell.run("events").stdout.splitlines()

    assert lines[0].split() == ["AT", "EVENT", "INSTANCE", "PROJECT", "BY", "POOL", "WHY"]
    assert [line.split()[1] for line in lines[1:]] == ["instance.idle", "allocation.created"]


def test_events_may_be_chosen(service: AnsweringService, shell: Shell) -> None:
    shell.run("events", "--pool", "gpu", "--project", "p", "--instance", "i-1", "-n", "3")

    assert service.asked[0].query == {"pool": "gpu", "project": "p", "instance": "i-1", "limit": "3"}


def test_a_program_gets_the_same_order(shell: Shell) -> None:
    assert [event["id"] for event in json.loads(shell.run("events", "--json").stdout)] == [1, 2]


def test_following_tells_each_new_event_once(service: AnsweringService, shell: Shell) -> None:
    def more() -> None:
        old = [wire.an_event(number) for number in (2, 1)]
        new = [wire.an_event(4, kind="pool.paused"), wire.an_event(3, kind="pool.resumed")]
        service.on("GET", "/v1/events", wire.page(*new, *old))

    shell.pauses = [more, lambda: None]
    result = shell.run("events", "--follow")

    assert result.exit_code == 0
    assert told(result.stdout) == ["instance.idle", "allocation.created", "pool.resumed", "pool.paused"]


def test_following_begins_with_as_many_as_asked_for(service: AnsweringService, shell: Shell) -> None:
    events = [wire.an_event(number) for number in range(30, 0, -1)]
    service.on("GET", "/v1/events", wire.page(*events))
    shell.pauses = [lambda: None]

    assert len(shell.run("events", "--follow", "--limit", "2").stdout.splitlines()) == 2


def test_events_that_become_known_late_are_told_all_the_same(service: AnsweringService, shell: Shell) -> None:
    service.on("GET", "/v1/events", wire.page(wire.an_event(9), wire.an_event(5)))

    def late() -> None:
        events = [wire.an_event(9), wire.an_event(7, kind="instance.held"), wire.an_event(5)]
        service.on("GET", "/v1/events", wire.page(*events))

    shell.pauses = [late]

    assert told(shell.run("events", "-f").stdout)[-1] == "instance.held"


def test_more_events_between_two_looks_than_one_look_shows_are_all_told(
    service: AnsweringService, shell: Shell
) -> None:
    def burst() -> None:
        events = [wire.an_event(number) for number in range(400, 0, -1)]
        service.on("GET", "/v1/events", wire.page(*events))

    shell.pauses = [burst]

    assert len(shell.run("events", "-f").stdout.splitlines()) == 400


def test_following_goes_on_after_the_service_was_away(service: AnsweringService, shell: Shell) -> None:
    def away() -> None:
        service.on("GET", "/v1/events", problem(503, "registry-unavailable", "The database is away."))

    def back() -> None:
        service.on("GET", "/v1/events", wire.page(wire.an_event(3), wire.an_event(2)))

    shell.pauses = [away, lambda: None, back]
    result = shell.run("events", "-f")

    assert result.stderr == "The database is away. Trying on.\n"
    assert len(result.stdout.splitlines()) == 3


def test_a_follower_that_is_a_program_gets_a_document_a_line(shell: Shell) -> None:
    lines = shell.run("events", "-f", "--json").stdout.splitlines()

    assert [json.loads(line)["id"] for line in lines] == [1, 2]


def test_no_events_are_no_table(service: AnsweringService, shell: Shell) -> None:
    service.on("GET", "/v1/events", wire.page())

    assert shell.run("events").stderr == "There is none.\n"
