"""How the client waits for an instance."""

from dataclasses import replace
from threading import Event, Thread

import pytest

from app.client import Client, Refused
from tests.answering import AnsweringService, Asked, Says, problem
from tests.unit.client.answers import ALLOCATION, EXHAUSTED, ONE
from tests.waiting import until


def test_who_waits_stays_in_line_at_the_service(service: AnsweringService, client: Client) -> None:
    service.on("PUT", ONE, Says(201, ALLOCATION))

    client.allocate("my-project", wait=300)

    assert service.asked[0].body == {"wait": 60}


def test_who_is_turned_away_asks_again_until_the_time_is_over(
    service: AnsweringService, client: Client, pauses: list[float]
) -> None:
    service.on("PUT", ONE, EXHAUSTED)

    with pytest.raises(Refused) as refused:
        client.allocate("my-project", wait=1.5)

    waits = [asked.body["wait"] for asked in service.asked]
    assert refused.value.code == "pool-exhausted"
    assert waits == [1.5, 0.5, 0]
    assert pauses == [1, 0.5]


def test_who_does_not_wait_is_told_at_once_however_patient(service: AnsweringService, client: Client) -> None:
    service.on("PUT", ONE, EXHAUSTED)

    with pytest.raises(Refused, match=r"Nothing is idle\."):
        client.allocate("my-project", wait=0)

    assert len(service.asked) == 1


@pytest.mark.parametrize(("told", "known"), [({"estimatedWaitSeconds": 40}, 40), ({}, None)])
def test_who_gets_nothing_is_told_how_long_it_will_take_where_that_is_known(
    service: AnsweringService, client: Client, told: dict[str, int], known: int | None
) -> None:
    refusal = problem(503, "pool-exhausted", "Nothing is idle.")
    assert isinstance(refusal.body, dict)
    service.on("PUT", ONE, replace(refusal, body={**refusal.body, **told}))

    with pytest.raises(Refused) as refused:
        client.allocate("my-project", wait=0)

    assert refused.value.estimated_wait == known


def test_an_instance_that_becomes_idle_meanwhile_is_got(service: AnsweringService, client: Client) -> None:
    service.on("PUT", ONE, EXHAUSTED, Says(201, ALLOCATION))

    assert client.allocate("my-project").project == "my-project"


def test_an_answer_that_may_take_longer_is_waited_for(service: AnsweringService) -> None:
    late = Event()

    def slowly(_: Asked) -> Says:
        late.wait(0.6)
        return Says(201, ALLOCATION)

    service.on("PUT", ONE, slowly)

    with Client(service.url, timeout=0.3, patience=0) as client:
        assert client.allocate("my-project", wait=60).project == "my-project"


def test_closing_ends_the_waiting_of_other_threads(service: AnsweringService) -> None:
    service.on("GET", ONE, problem(503, "x", "Away.", retry_after="60"))
    client, errors = Client(service.url, patience=300), []

    def ask() -> None:
        try:
            client.allocation("my-project")
        except Refused as error:
            errors.append(error)

    asking = Thread(target=ask)
    asking.start()
    until(lambda: service.asked)
    client.close()
    asking.join(30)

    assert [str(error) for error in errors] == ["Away."]
    with pytest.raises(RuntimeError, match="closed"):
        client.status()
