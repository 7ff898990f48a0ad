"""What is said of a request that is off: in our own words, and not without end."""

import json
from typing import Any

import pytest

from app.api.names import IN_WORDS, INSTANCE, POOL, PROJECT
from app.domain.errors import InvalidInput
from app.domain.model import instance_id, pool_name, project_id
from tests.unit.web.services import JSON, Service, places_of, problem_of

ALLOCATION = "/v1/allocations/my-project"
OTHERS_WORDS = (
    "should be",
    "should match",
    "should have",
    "sys.",
    "set_int_max",
    "If you entered",
    "browser",
)


def _said(answer: Any) -> str:
    assert 400 <= answer.status_code < 500
    text = answer.get_data(as_text=True)
    assert not [words for words in OTHERS_WORDS if words in text]
    return str(answer.get_json(force=True)["detail"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"ttl": "x"}, "ttl: A whole number is needed"),
        ({"ttl": 1.5}, "ttl: A whole number is needed"),
        ({"ttl": True}, "ttl: A whole number is needed"),
        ({"ttl": 0}, "ttl: It must be 1 or more"),
        ({"ttl": 10**9}, "ttl: It must be 31622400 or less"),
        ({"wait": "x"}, "wait: A number is needed"),
        ({"wait": -1}, "wait: It must be 0 or more"),
        ({"pool": 5}, "pool: A text is needed"),
        ({"pool": "A"}, f"pool: {IN_WORDS[POOL]}"),
        ({"poll": "a"}, "poll: There is no such field; did you mean pool?"),
        ([], "A JSON object is needed"),
    ],
)
def test_a_field_that_is_off_is_told_in_our_words(service: Service, body: Any, said: str) -> None:
    assert _said(service.http.put(ALLOCATION, json=body)) == said


@pytest.mark.parametrize(
    ("path", "method", "body", "said"),
    [
        ("/v1/pools/default", "PATCH", {"paused": 1}, "paused: true or false is needed"),
        ("/v1/instances/i-0123456789abcdef0/hold", "PUT", {"reason": "x" * 201}, "reason: 200 characters at"),
        ("/v1/instances/i-0123456789abcdef0/hold", "PUT", {"reason": "a\nb"}, "reason: One line of text"),
        ("/v1/instances/i-0123456789abcdef0/hold", "PUT", {"reason": "\ud800"}, "reason: It has half"),
    ],
)
def test_so_are_the_fields_of_others(service: Service, path: str, method: str, body: Any, said: str) -> None:
    assert _said(service.http.open(path, method=method, json=body)).startswith(said)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/events?limit=0", "limit: It must be 1 or more"),
        ("/v1/events?limit=501", "limit: It must be 500 or less"),
        ("/v1/events?cursor=", "cursor: It is not one that an answer of this list had as `next`"),
        ("/v1/events?cursor=" + "x" * 401, "cursor: 400 characters at most"),
        ("/v1/events?project=-", f"project: {IN_WORDS[PROJECT]}"),
        ("/v1/events?instance=i-1", f"instance: {IN_WORDS[INSTANCE]}"),
        (
            "/v1/instances?state=IDLE",
            "state: It is one of 'booting', 'idle', 'allocated', 'terminating' or 'terminated'",
        ),
    ],
)
def test_so_is_a_parameter(service: Service, path: str, said: str) -> None:
    assert _said(service.http.get(path)) == said


@pytest.mark.parametrize(
    ("take", "pattern"), [(project_id, PROJECT), (pool_name, POOL), (instance_id, INSTANCE)]
)
def test_a_name_that_is_off_is_told_the_same_in_a_path_and_elsewhere(take: Any, pattern: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        take("-")

    assert raised.value.detail == IN_WORDS[pattern] + "."


@pytest.mark.parametrize("field", ["ttl", "wait"])
@pytest.mark.parametrize("digits", [301, 5000])
def test_a_number_without_end_is_refused(service: Service, field: str, digits: int) -> None:
    body = f'{{"{field}": {"9" * digits}}}'

    answer = service.http.put(ALLOCATION, data=body, headers=JSON)

    assert _said(answer) == "A number in the body has more than 300 digits."
    assert (answer.status_code, problem_of(answer)) == (400, "invalid-body")


def test_what_is_not_there_leads_to_the_documents(service: Service) -> None:
    assert "/docs" in _said(service.http.get("/v1/nothing"))


def test_a_wrong_method_is_pointed_to_allow(service: Service) -> None:
    assert "Allow" in _said(service.http.post("/status"))


@pytest.mark.parametrize("length", [64 * 1024 + 1, 70_000])
def test_a_body_that_is_too_long_is_told_how_long_it_may_be(service: Service, length: int) -> None:
    assert "64 KiB" in _said(service.http.put(ALLOCATION, data=b" " * length, headers=JSON))


# Many of them


def test_twenty_faults_are_told_and_the_others_counted(service: Service) -> None:
    answer = service.http.put(ALLOCATION, json={f"k{number}": 1 for number in range(5000)})

    errors = answer.get_json(force=True)["errors"]
    assert len(errors) == 21
    assert errors[-1] == {"where": "", "detail": "and 4980 more"}


def test_the_detail_tells_the_first_three(service: Service) -> None:
    answer = service.http.put(ALLOCATION, json={f"k{number}": 1 for number in range(5)})

    told = "; ".join(f"k{number}: There is no such field" for number in range(3))
    assert answer.get_json(force=True)["detail"] == f"{told}; and 2 more"
    assert places_of(answer) == {f"k{number}" for number in range(5)}


@pytest.mark.parametrize(
    "body", [json.dumps({"x" * 5000: 1}), f'{{"{"x" * 5000}": 1, "{"x" * 5000}": 2}}'], ids=["once", "twice"]
)
def test_a_long_name_is_cut(service: Service, body: str) -> None:
    answer = service.http.put(ALLOCATION, data=body, headers=JSON)

    assert places_of(answer) == {"x" * 99 + "…"}
    assert len(answer.data) < 1000


def test_parameters_without_end_are_cut_short_as_well(service: Service) -> None:
    query = "&".join(f"k{number}=1" for number in range(500))

    assert len(service.http.get(f"/v1/events?{query}").get_json(force=True)["errors"]) == 21


# Bodies that do not come


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", ALLOCATION),
        ("POST", f"{ALLOCATION}/renew"),
        ("PUT", "/v1/instances/i-0123456789abcdef0/hold"),
        ("PATCH", "/v1/pools/default"),
        ("POST", "/destroy"),
    ],
)
@pytest.mark.parametrize("came", [b"", b'{"ttl": 60}'])
def test_a_body_that_is_cut_off_is_400(service: Service, method: str, path: str, came: bytes) -> None:
    answer = service.http.open(
        path,
        method=method,
        data=came,
        headers=JSON,
        environ_overrides={"CONTENT_LENGTH": "40", "wsgi.input_terminated": True},
    )

    assert (answer.status_code, problem_of(answer)) == (400, "invalid-body")
    assert f"{len(came)} of 40 bytes" in _said(answer)


def test_a_body_that_is_cut_off_allocates_nothing(service: Service) -> None:
    service.idle()

    service.http.put(
        ALLOCATION,
        headers=JSON,
        environ_overrides={"CONTENT_LENGTH": "40", "wsgi.input_terminated": True},
    )

    assert service.allocated == 0
