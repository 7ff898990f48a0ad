"""How v1 reads requests: strictly, within bounds, and with every fault told at once."""

from typing import Any

import pytest

from tests.unit.web.services import GPU, JSON, Service, places_of, problem_of

RENEW = "/v1/allocations/my-project/renew"
POOL = "/v1/pools/default"

# Bodies


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"ttl"', id="a string"),
        pytest.param(b'{"ttl": 60, "ttl": 61}', id="a name twice"),
        pytest.param(b'{"ttl": NaN}', id="not a number"),
        pytest.param(b'{"ttl": Infinity}', id="infinity"),
        pytest.param(b'{"ttl": ' + b"9" * 10_000 + b"}", id="a huge number"),
        pytest.param(b'{"ttl": 1e999}', id="a huge exponent"),
        pytest.param(b"[" * 60_000, id="deep lists"),
        pytest.param(b'{"ttl":' * 8_000, id="deep objects"),
        pytest.param(b'{"ttl": 60}\xff', id="not UTF-8"),
        pytest.param('{"ttl": 60}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"ttl": 60} {}', id="more behind it"),
        pytest.param(b'{"ttl": 60, "\\ud800": 1}', id="half a character as a name"),
        pytest.param(b'\xef\xbb\xbf{"ttl": 60}', id="a byte order mark"),
        pytest.param(b"{'ttl': 60}", id="the wrong quotes"),
    ],
)
def test_a_body_that_is_not_right_is_400(service: Service, body: bytes) -> None:
    service.held_by("my-project")

    answer = service.http.post(RENEW, data=body, headers=JSON)

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-body")


def test_a_name_that_stands_there_twice_is_named(service: Service) -> None:
    answer = service.http.post(RENEW, data=b'{"ttl": 60, "ttl": 61}', headers=JSON)

    assert places_of(answer) == {"ttl"}


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/v1/allocations/my-project"), ("POST", RENEW), ("PATCH", POOL)],
)
def test_another_media_type_is_415(service: Service, method: str, path: str, media: str) -> None:
    answer = service.http.open(path, method=method, data=b"{}", headers={"Content-Type": media})

    assert (answer.status_code, problem_of(answer)) == (415, "unsupported-media-type")


@pytest.mark.parametrize("media", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"])
def test_json_is_taken_however_it_is_written(service: Service, media: str) -> None:
    answer = service.http.patch(POOL, data=b'{"buffer": 8}', headers={"Content-Type": media})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/v1/allocations/my-project"), ("POST", RENEW), ("PATCH", POOL)],
)
def test_a_body_of_more_than_64_kib_is_413(service: Service, method: str, path: str) -> None:
    answer = service.http.open(path, method=method, data=b" " * (64 * 1024 + 1), headers=JSON)

    assert (answer.status_code, problem_of(answer)) == (413, "request-entity-too-large")


def test_a_body_of_64_kib_is_read(service: Service) -> None:
    body = b'{"buffer": 8}'.ljust(64 * 1024)

    assert service.http.patch(POOL, data=body, headers=JSON).status_code == 200


def test_a_chunked_body_of_more_than_64_kib_is_413(service: Service) -> None:
    import io

    answer = service.http.patch(
        POOL,
        input_stream=io.BytesIO(b" " * 70_000),
        headers={**JSON, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert (answer.status_code, problem_of(answer)) == (413, "request-entity-too-large")


# Queries


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=0", {"limit"}),
        ("limit=501", {"limit"}),
        ("limit=ten", {"limit"}),
        ("limit=", {"limit"}),
        ("limit=1_0", {"limit"}),
        ("limit=%2B5", {"limit"}),
        ("limit=" + "9" * 5000, {"limit"}),
        ("limit=5&limit=6", {"limit"}),
        ("limt=5", {"limt"}),
        ("cursor=x", {"cursor"}),
        ("cursor=", {"cursor"}),
        ("cursor=%00", {"cursor"}),
        ("cursor=" + "x" * 2000, {"cursor"}),
        ("pool=A", {"pool"}),
        ("limit=0&pool=A&pol=x", {"limit", "pool", "pol"}),
    ],
)
@pytest.mark.parametrize("path", ["/v1/allocations", "/v1/instances", "/v1/events"])
def test_a_parameter_that_is_off_is_named(service: Service, path: str, query: str, where: set[str]) -> None:
    answer = service.http.get(f"{path}?{query}")

    assert (answer.status_code, problem_of(answer), places_of(answer)) == (400, "invalid-query", where)


@pytest.mark.parametrize("path", ["/v1/pools/default", "/v1/allocations/my-project"])
def test_what_takes_no_parameters_is_given_none(service: Service, path: str) -> None:
    answer = service.http.get(f"{path}?pretty=1")

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-query")


@pytest.mark.parametrize("wait", ["", "x", "-1", "61", "nan", "inf", "1e9", "0x10", "1&wait=2"])
def test_a_wait_that_is_none_is_400_and_allocates_nothing(service: Service, wait: str) -> None:
    service.idle()

    answer = service.http.get(f"/my-project?wait={wait}")

    assert (answer.status_code, problem_of(answer), places_of(answer)) == (400, "invalid-query", {"wait"})
    assert service.allocated == 0


@pytest.mark.parametrize(
    "path", ["/my-project?utm_source=x", "/my-project?wait=1.5", "/status?x=1", "/healthz?x"]
)
def test_the_seeds_endpoints_ignore_what_a_link_may_add(service: Service, path: str) -> None:
    service.idle()

    assert service.http.get(path).status_code == 200


# Cursors


@pytest.mark.parametrize("path", ["/v1/allocations", "/v1/instances", "/v1/events"])
def test_a_walk_meets_everything_once(service: Service, path: str) -> None:
    for number in range(7):
        service.held_by(f"project-{number}")
    whole = service.http.get(f"{path}?limit=500").get_json()["items"]

    met: list[Any] = []
    cursor = ""
    while True:
        part = service.http.get(f"{path}?limit=3{cursor}").get_json()
        met += part["items"]
        if part["next"] is None:
            break
        assert len(part["items"]) == 3
        cursor = f"&cursor={part['next']}"

    assert met == whole
    assert len(met) >= 7


def test_a_cursor_of_another_list_is_400(service: Service) -> None:
    for project in ("a", "b"):
        service.held_by(project)
    cursor = service.http.get("/v1/allocations?limit=1").get_json()["next"]

    answer = service.http.get(f"/v1/events?cursor={cursor}")

    assert (answer.status_code, places_of(answer)) == (400, {"cursor"})


@pytest.mark.parametrize("key", ["x", "-1", "9" * 30, "1.5", "٣", "09", "00", "9223372036854775808"])
def test_a_cursor_that_somebody_made_up_is_400(service: Service, key: str) -> None:
    from app.web import cursors

    answer = service.http.get(f"/v1/events?cursor={cursors.written('events', key)}")

    assert (answer.status_code, places_of(answer)) == (400, {"cursor"})


# Events


def test_events_are_listed_newest_first_and_say_who_did_what(service: Service) -> None:
    service.idle()
    service.http.put("/v1/allocations/my-project")

    newest = service.http.get("/v1/events").get_json()["items"][0]

    assert (newest["kind"], newest["actor"], newest["project"]) == (
        "allocation.created",
        "anonymous",
        "my-project",
    )


@pytest.mark.parametrize("name", ["pool", "project", "instance"])
def test_events_can_be_listed_of_one_thing(service: Service, name: str) -> None:
    instance = service.held_by("a", GPU)
    service.held_by("b")
    wanted = {"pool": "gpu", "project": "a", "instance": instance}[name]

    listed = service.http.get(f"/v1/events?{name}={wanted}").get_json()["items"]

    assert {one[name] for one in listed} == {wanted}


# Methods and paths


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/allocations", {"GET", "HEAD", "OPTIONS"}),
        ("/v1/allocations/x", {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}),
        ("/v1/allocations/x/renew", {"OPTIONS", "POST"}),
        ("/v1/instances", {"GET", "HEAD", "OPTIONS"}),
        ("/v1/instances/x", {"GET", "HEAD", "OPTIONS", "DELETE"}),
        ("/v1/instances/x/hold", {"OPTIONS", "PUT", "DELETE"}),
        ("/v1/pools", {"GET", "HEAD", "OPTIONS"}),
        ("/v1/pools/x", {"GET", "HEAD", "OPTIONS", "PATCH"}),
        ("/v1/events", {"GET", "HEAD", "OPTIONS"}),
        ("/status", {"GET", "HEAD", "OPTIONS"}),
        ("/docs", {"GET", "HEAD", "OPTIONS"}),
        ("/openapi.json", {"GET", "HEAD", "OPTIONS"}),
        ("/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("/readyz", {"GET", "HEAD", "OPTIONS"}),
        ("/destroy", {"OPTIONS", "POST"}),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "TRACE", "QUERY"])
def test_another_method_is_405_and_allow_names_those_there_are(
    service: Service, path: str, allowed: set[str], method: str
) -> None:
    if method in allowed:
        return
    answer = service.http.open(path, method=method)

    assert answer.status_code == 405
    assert {one.strip() for one in answer.headers["Allow"].split(",")} == allowed


@pytest.mark.parametrize("path", ["/v1/allocations", "/v1/instances", "/v1/pools/default", "/docs"])
def test_head_is_get_without_a_body(service: Service, path: str) -> None:
    answer = service.http.head(path)

    assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/things", "/v1/allocations/", "/v1/allocations//renew", "/v1//pools", "/docs/x.css"],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_is_not_there_is_404_or_no_method_of_it(service: Service, method: str, path: str) -> None:
    answer = service.http.open(path, method=method)

    assert (answer.status_code, problem_of(answer)) in {(404, "not-found"), (405, "method-not-allowed")}


def test_answers_say_that_they_must_not_be_kept(service: Service) -> None:
    assert service.http.get("/v1/pools").headers["Cache-Control"] == "no-store"
