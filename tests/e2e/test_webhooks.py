"""Webhooks end to end: real service, real receiver; what happens arrives, signed, whatever breaks between."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.e2e.aws import Aws
from tests.e2e.processes import HOST, Program, Service, a_free_port
from tests.receiving import SECRET, Got, Receiver, Reply
from tests.waiting import until

PATIENCE = 60.0
NOT_WAITING = 10.0
"""Seconds in which is done what does not wait for the receiver: one that hangs is given up after fifteen."""


def settings(cloud: Aws, url: str) -> dict[str, str]:
    return {
        **cloud.settings,
        "ORCHESTRATOR_POLL_INTERVAL": "1",
        "ORCHESTRATOR_WEBHOOK_URL": url,
        "ORCHESTRATOR_WEBHOOK_SECRET": SECRET,
    }


@pytest.fixture(scope="module")
def cloud() -> Iterator[Aws]:
    with Aws(worker="none") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def service(cloud: Aws, _receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    database = tmp_path_factory.mktemp("webhooks") / "webhooks.db"
    with Service(database, settings(cloud, _receiver.url)) as service:
        service.start()
        service.settled()
        yield service


@pytest.fixture
def receiver(_receiver: Receiver) -> Iterator[Receiver]:
    """The service's receiver, which takes everything unless the test says otherwise."""
    yield _receiver
    _receiver.answers = lambda _: Reply()


def stocked(service: Service) -> None:
    """Wait until there are instances for a few claims; there may be more: desired is never lowered."""
    until(lambda: service.status()["idleMachines"] >= 4, within=PATIENCE, every=0.25)


def projects(receiver: Receiver, kind: str) -> set[str]:
    return {str(data["project"]) for data in receiver.told(kind)}


def messages(service: Service, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.http.get("/v1/webhooks", params=query).json()["items"]
    return found


def test_what_happens_to_an_allocation_arrives_signed(service: Service, receiver: Receiver) -> None:
    stocked(service)
    held = service.allocate("told")
    until(lambda: "told" in projects(receiver, "allocation.created"), within=PATIENCE)
    service.http.delete("/v1/allocations/told")
    until(lambda: "told" in projects(receiver, "allocation.released"), within=PATIENCE)

    (created,) = (data for data in receiver.told("allocation.created") if data["project"] == "told")
    (released,) = (data for data in receiver.told("allocation.released") if data["project"] == "told")
    assert (created["instance"], created["url"]) == (held["machineId"], held["url"])
    assert (released["instance"], released["reason"]) == (held["machineId"], "released")
    assert created["event"] < released["event"]


def test_an_instance_that_ends_by_itself_is_told_as_lost(
    service: Service, receiver: Receiver, cloud: Aws
) -> None:
    stocked(service)
    held = service.allocate("loses")
    cloud.control("POST", f"instances/{held['machineId']}/terminate")

    until(lambda: "loses" in projects(receiver, "allocation.lost"), within=PATIENCE)


def test_a_redirect_is_not_followed(service: Service, receiver: Receiver) -> None:
    stocked(service)
    with Receiver() as elsewhere:
        receiver.answers = lambda _: Reply(302, {"Location": elsewhere.url})
        service.allocate("redirected")

        def refused() -> list[dict[str, Any]]:
            pending = messages(service, state="pending")
            return [one for one in pending if "302" in (one["lastError"] or "")]

        until(refused, within=PATIENCE)
        assert elsewhere.got == []


def test_what_was_refused_is_sent_again_and_under_the_same_id(service: Service, receiver: Receiver) -> None:
    stocked(service)
    refused: set[str] = set()

    def once(got: Got) -> Reply:
        if got.id in refused:
            return Reply()
        refused.add(got.id)
        return Reply(500)

    receiver.answers = once
    service.allocate("twice")

    until(lambda: "twice" in projects(receiver, "allocation.created"), within=PATIENCE)
    ids = [got.id for got in receiver.got if got.data.get("project") == "twice"]
    assert len(ids) >= 2
    assert len(set(ids)) == 1


def test_who_operates_can_have_a_message_sent_once_more(service: Service, receiver: Receiver) -> None:
    stocked(service)
    service.allocate("again")
    until(lambda: "again" in projects(receiver, "allocation.created"), within=PATIENCE)

    def delivered() -> list[dict[str, Any]]:
        return [
            one
            for one in messages(service, state="delivered")
            if (one["type"], one["body"]["data"].get("project")) == ("allocation.created", "again")
        ]

    (message,) = until(delivered, within=PATIENCE, what="it to be noted that it was taken")

    answer = service.http.post(f"/v1/webhooks/{message['id']}/retry")

    assert answer.status_code == 202
    until(lambda: [got.id for got in receiver.got].count(message["id"]) == 2, within=PATIENCE)


def test_claims_do_not_wait_for_a_receiver_that_hangs(service: Service, receiver: Receiver) -> None:
    stocked(service)
    free, reached = Event(), Event()

    def hang(_: Got) -> Reply:
        reached.set()
        free.wait(60)
        return Reply()

    receiver.answers = hang
    try:
        service.allocate("first-to-hang")
        assert reached.wait(PATIENCE)
        for number in range(3):
            assert service.get(f"hangs-{number}").elapsed.total_seconds() < NOT_WAITING
        passes = len(service.passes)
        until(lambda: len(service.passes) > passes + 1, within=PATIENCE)
    finally:
        free.set()


def test_nothing_is_lost_by_kills_and_by_a_receiver_that_is_away(tmp_path: Path) -> None:
    """One message finds nobody; another is taken, and the service killed before it knows."""
    port, reached, free = a_free_port(), Event(), Event()

    def hold(got: Got) -> Reply:
        if got.data.get("project") == "in-the-kill":
            reached.set()
            free.wait(60)
        return Reply()

    with (
        Aws(worker="none") as cloud,
        Service(tmp_path / "killed.db", settings(cloud, f"http://{HOST}:{port}/hooks")) as service,
    ):
        service.start()
        service.settled()
        service.allocate("while-away")
        until(lambda: any(one["lastError"] for one in messages(service)), within=PATIENCE)
        with Receiver(port, answers=hold) as receiver:
            service.allocate("in-the-kill")
            assert reached.wait(PATIENCE)
            service.kill9()
            free.set()
            service.start()

            def ids(project: str) -> list[str]:
                return [got.id for got in receiver.taken if got.data.get("project") == project]

            until(lambda: len(ids("in-the-kill")) > 1 and ids("while-away"), within=PATIENCE)
            assert len(set(ids("in-the-kill"))) == 1
            assert len(ids("while-away")) == 1


def test_a_metadata_address_is_refused_at_the_start(cloud: Aws, tmp_path: Path) -> None:
    asked = {
        **settings(cloud, "http://169.254.169.254/latest/meta-data"),
        "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{tmp_path}/refused.db",
        "ORCHESTRATOR_BIND": f"{HOST}:{a_free_port()}",
    }
    with Program("-m", "gunicorn", "wsgi:app", settings=asked) as program:
        assert program.exit_code() != 0
        assert "ORCHESTRATOR_WEBHOOK_LINK_LOCAL=on" in program.said
        assert SECRET not in program.said
