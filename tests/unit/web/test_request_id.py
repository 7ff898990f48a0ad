"""The id of a request: in its answer, and on the lines that are logged on its way."""

import os
import re
from threading import Barrier, Thread

import pytest
import structlog
from flask import Flask, request
from structlog.typing import EventDict
from werkzeug.test import TestResponse

from app.web import request_id
from app.web.request_id import HEADER, chosen, in_headers
from tests.unit.web.services import Service

NEW = re.compile("[0-9a-f]{32}")


def ids_of(answer: TestResponse) -> list[str]:
    return answer.headers.getlist(HEADER)


def test_an_answer_has_the_id_that_its_request_gave_itself(service: Service) -> None:
    assert ids_of(service.http.get("/status", headers={HEADER: "caller:4711"})) == ["caller:4711"]


def test_a_request_without_one_gets_one_of_its_own(service: Service) -> None:
    first, second = (ids_of(service.http.get("/status"))[0] for _ in range(2))

    assert NEW.fullmatch(first)
    assert NEW.fullmatch(second)
    assert first != second


@pytest.mark.parametrize("fit", ["a", "A-Z_a.z:0-9", "x" * 128, "0f8fad5b-d9cb-469f-a165-70867728950e"])
def test_what_is_fit_for_a_log_is_kept(fit: str) -> None:
    assert chosen(fit) == fit


@pytest.mark.parametrize(
    "unfit", [None, "", " ", "two words", "x" * 129, "a,b", 'a"b', "a\nb", "é", "٣", "a;b", "a/b"]
)
def test_what_is_not_is_replaced(unfit: str | None) -> None:
    assert NEW.fullmatch(chosen(unfit))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("HEAD", "/status", 200),
        ("OPTIONS", "/my-project", 204),
        ("GET", "/my-project", 503),
        ("GET", "/no/such/page", 404),
        ("GET", "/v1//pools", 404),
        ("POST", "/status", 405),
        ("POST", "/destroy", 400),
        ("GET", "/v1/allocations?limit=none", 400),
        ("GET", "/dashboard/no-such-page", 404),
    ],
)
def test_every_answer_has_it(service: Service, method: str, path: str, status: int) -> None:
    answer = service.http.open(path, method=method, headers={HEADER: "r-1"})
    answer.close()

    assert (answer.status_code, ids_of(answer)) == (status, ["r-1"])


def test_so_has_an_answer_that_says_unchanged(service: Service) -> None:
    tag = service.http.get("/openapi.json").headers["ETag"]

    answer = service.http.get("/openapi.json", headers={"If-None-Match": tag, HEADER: "r-1"})

    assert (answer.status_code, ids_of(answer)) == (304, ["r-1"])


def test_so_has_the_answer_to_a_bug(service: Service) -> None:
    def broken() -> str:
        raise ValueError("a bug")

    service.app.view_functions["status.status"] = broken

    answer = service.http.get("/status", headers={HEADER: "r-1"})

    assert (answer.status_code, ids_of(answer)) == (500, ["r-1"])


def lines_of(service: Service, path: str, given: str) -> list[EventDict]:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        service.http.get(path, headers={HEADER: given})
    return lines


def test_every_line_of_a_request_has_its_id(service: Service) -> None:
    def broken() -> str:
        raise ValueError("a bug")

    service.app.view_functions["status.status"] = broken

    lines = lines_of(service, "/status", "r-1")

    assert {(line["event"], line.get("request_id")) for line in lines} == {
        ("request.crashed", "r-1"),
        ("request.finished", "r-1"),
    }


def test_afterwards_it_is_forgotten(service: Service) -> None:
    service.http.get("/status", headers={HEADER: "r-1"})

    assert structlog.contextvars.get_contextvars() == {}


def test_it_is_forgotten_after_a_request_that_broke_the_application() -> None:
    app = Flask("broken")

    def broken(*_: object) -> list[bytes]:
        raise ValueError("a bug")

    app.wsgi_app = broken  # type: ignore[method-assign, assignment]
    request_id.name_each(app)

    with pytest.raises(ValueError, match="a bug"):
        app.test_client().get("/")
    assert structlog.contextvars.get_contextvars() == {}


def test_requests_that_are_answered_at_once_do_not_get_each_others(service: Service) -> None:
    together, seen = Barrier(4, timeout=60), dict[str, object]()

    def looks() -> str:
        together.wait()
        seen[request.headers[HEADER]] = structlog.contextvars.get_contextvars().get("request_id")
        together.wait()
        return ""

    service.app.view_functions["health.healthz"] = looks
    threads = [
        Thread(target=service.app.test_client().get, args=("/healthz",), kwargs={"headers": {HEADER: name}})
        for name in ("a", "b", "c", "d")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == {"a": "a", "b": "b", "c": "c", "d": "d"}


# as a server has read it


def test_a_server_finds_it_whatever_its_case_is() -> None:
    found, headers = in_headers([("HOST", "here"), ("x-request-id", "r-1")])

    assert found == "r-1"
    assert headers == [("HOST", "here"), ("X-REQUEST-ID", "r-1")]


@pytest.mark.parametrize("given", [[], ["bad one"], ["r-1", "r-2"], ["r-1", "r-1"]])
def test_a_server_makes_one_where_there_is_none_or_it_is_not_clear_which(given: list[str]) -> None:
    found, headers = in_headers([("X-REQUEST-ID", one) for one in given])

    assert NEW.fullmatch(found)
    assert headers == [("X-REQUEST-ID", found)]


def test_a_forked_worker_makes_other_ids_than_the_process_it_comes_from() -> None:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, chosen(None).encode())
        os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(ours) as said, os.fdopen(theirs, "w"):
        assert said.read(32) != chosen(None)
