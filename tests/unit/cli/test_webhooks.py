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
    for one in (DEAD, PENDING):
        service.on("POST", f"/v1/webhooks/{one}/retry", Says(202, a_message(id=one, state="pending")))


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
    assert result.stdout == f"{DEAD} is sent at once.\n"
    assert len(service.requests("POST", f"/v1/webhooks/{DEAD}/retry")) == 1


def test_all_that_were_given_up_are_sent_once_more(service: AnsweringService, shell: Shell) -> None:
    result = shell.run("webhooks", "retry", "--dead")

    assert result.stdout == "2 sent at once.\n"
    assert service.requests("GET", "/v1/webhooks")[0].query["state"] == "dead"
    # The oldest first.
    assert [one.path.split("/")[3] for one in service.asked if one.method == "POST"] == [DEAD, PENDING]


@pytest.mark.parametrize("arguments", [[], [DEAD, "--dead"]])
def test_one_or_all_must_be_named(shell: Shell, arguments: list[str]) -> None:
    assert shell.run("webhooks", "retry", *arguments).exit_code == 2


def test_a_message_that_there_is_not_is_told_with_what_to_do(service: AnsweringService, shell: Shell) -> None:
    result = shell.run("webhooks", "retry", "msg_0")

    assert result.exit_code == 1
