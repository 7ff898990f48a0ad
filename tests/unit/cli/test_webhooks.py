"""`webhooks`: what was told, and telling it again."""

import json
from typing import Any

import pytest

from app.api import v1
from tests.answering import AnsweringService, Says
from tests.unit.cli import wire
from tests.unit.cli.shell import Shell

DEAD, PENDING = "msg_" + "d" * 32, "msg_" + "e" * 32


def a_message(**given: Any) -> dict[str, Any]:
    return v1.WebhookMessage.model_validate(
        {
            "id": DEAD,
            "type": "allocation.created",
            "pool": "default",
            "at": "2026-11-22T20:12:00Z",
            "state": "dead",
            "attempts": 11,
            "nextAttemptAt": None,
            "endedAt": "2026-11-22T20:14:00Z",
            "lastError": "hooks.example.com answered 500",
            "body": {"data": {"project": "my-project"}},
            **given,
        }
    ).model_dump(mode="json", by_alias=True)


@pytest.fixture(autouse=True)
def messages(service: AnsweringService) -> None:
    pending = a_message(id=PENDING, state="pending", attempts=0, lastError=None, type="pool.limited", body={})
    service.on("GET", "/v1/webhooks", wire.page(pending, a_message()))
    service.on("POST", f"/v1/webhooks/{DEAD}/retry", Says(202, a_message(state="pending")))
    service.on("DELETE", f"/v1/webhooks/{DEAD}", Says(200, a_message()))
    service.on("POST", "/v1/webhooks/dead/retry", Says(202, {"messages": 2}))
    service.on("DELETE", "/v1/webhooks/dead", Says(200, {"messages": 1}))
    service.on("POST", "/v1/webhooks", Says(202, a_message(id=PENDING, type="webhook.test")))


def test_the_newest_message_comes_last(shell: Shell) -> None:
    lines = shell.run("webhooks").stdout.splitlines()

    assert lines[0].split() == [
        "AT",
        "MESSAGE",
        "STATE",
        "TRIES",
        "NEXT",
        "TRY",
        "ABOUT",
        "LAST",
        "ERROR",
        "ID",
    ]
    assert [line.split()[1:3] for line in lines[1:]] == [
        ["allocation.created", "dead"],
        ["pool.limited", "pending"],
    ]
    assert "my-project" in lines[1]
    assert "default" in lines[2]


def test_messages_may_be_chosen(service: AnsweringService, shell: Shell) -> None:
    shell.run("webhooks", "--state", "dead")

    assert service.asked[0].query["state"] == "dead"


def test_a_program_gets_them_as_the_service_has_them(shell: Shell) -> None:
    found = json.loads(shell.run("webhooks", "--json").stdout)

    assert [one["id"] for one in found] == [DEAD, PENDING]


def test_where_there_is_none_a_person_is_told_so(service: AnsweringService, shell: Shell) -> None:
    service.on("GET", "/v1/webhooks", wire.page())

    assert "There is none." in shell.run("webhooks").stderr


def test_one_message_is_sent_once_more(service: AnsweringService, shell: Shell) -> None:
    result = shell.run("webhooks", "retry", DEAD)

    assert result.exit_code == 0
    assert result.stdout == f"{DEAD} is to be sent.\n"
    assert len(service.requests("POST", f"/v1/webhooks/{DEAD}/retry")) == 1


def test_all_that_were_given_up_are_sent_once_more(service: AnsweringService, shell: Shell) -> None:
    result = shell.run("webhooks", "retry", "--dead")

    assert result.stdout == "2 dead messages are to be sent.\n"
    assert len(service.asked) == 1


def test_one_message_is_discarded(service: AnsweringService, shell: Shell) -> None:
    assert shell.run("webhooks", "discard", DEAD).stdout == f"{DEAD} is forgotten.\n"
    assert len(service.requests("DELETE", f"/v1/webhooks/{DEAD}")) == 1


def test_all_that_were_given_up_are_discarded(shell: Shell) -> None:
    assert shell.run("webhooks", "discard", "--dead").stdout == "1 dead message is forgotten.\n"
    assert json.loads(shell.run("webhooks", "discard", "--dead", "--json").stdout) == {"messages": 1}


def test_a_test_message_is_sent(shell: Shell) -> None:
    assert shell.run("webhooks", "test").stdout == f"{PENDING} is to be sent.\n"


@pytest.mark.parametrize("command", ["retry", "discard"])
@pytest.mark.parametrize("arguments", [[], [DEAD, "--dead"]])
def test_one_or_all_must_be_named(shell: Shell, command: str, arguments: list[str]) -> None:
    assert shell.run("webhooks", command, *arguments).exit_code == 2


def test_what_steers_a_terminal_is_not_printed(service: AnsweringService, shell: Shell) -> None:
    service.on("GET", "/v1/webhooks", wire.page(a_message(lastError="\x1b]0;owned\x07\x9b2J")))

    assert "?]0;owned??2J" in shell.run("webhooks").stdout


def test_a_message_that_there_is_not_is_told_with_what_to_do(service: AnsweringService, shell: Shell) -> None:
    result = shell.run("webhooks", "retry", "msg_0")

    assert result.exit_code == 1
