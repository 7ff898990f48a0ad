"""The OpenAPI document and the page for it: valid, complete, and ours alone."""

import re
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate

from app.api import names
from app.domain.errors import InvalidInput
from app.domain.model import RESERVED_NAMES, instance_id, pool_name, project_id
from app.web import auth
from app.web.document import TAGS, document
from app.web.operations import Operation, operation_of
from app.web.pages import is_page
from docs import openapi
from tests.unit.web.services import TOKEN, Service

METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def app() -> Flask:
    return openapi.interface()


@pytest.fixture(scope="module")
def told(app: Flask) -> dict[str, Any]:
    return document(app)


def operations(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for methods in told["paths"].values() for one in methods.values()]


def test_it_is_openapi_3_1(told: dict[str, Any]) -> None:
    assert told["openapi"] == "3.1.0"
    validate(told)


def test_it_is_made_the_same_each_time(told: dict[str, Any]) -> None:
    assert document(openapi.interface()) == told


def test_every_route_is_in_it_but_the_pages_for_people(app: Flask) -> None:
    missing = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if operation_of(app.view_functions[rule.endpoint]) is None
        and not is_page(app.view_functions[rule.endpoint])
    }

    assert missing == auth.UNLISTED


def test_every_operation_has_an_id_a_summary_and_examples(told: dict[str, Any]) -> None:
    found = operations(told)

    assert len({one["operationId"] for one in found}) == len(found)
    assert all(one["summary"] and one["description"] for one in found)
    for one in found:
        if "requestBody" in one:
            assert isinstance(one["requestBody"]["content"]["application/json"]["example"], dict)


def test_every_tag_is_used_and_explained(told: dict[str, Any]) -> None:
    assert {tag for one in operations(told) for tag in one["tags"]} == set(TAGS)
    assert [tag["name"] for tag in told["tags"]] == list(TAGS)


def test_every_operation_names_its_role(app: Flask, told: dict[str, Any]) -> None:
    kept = {
        found.id: [] if found.role is None else [{"token": [found.role.value]}]
        for view in app.view_functions.values()
        if isinstance(found := operation_of(view), Operation)
    }

    assert {one["operationId"]: one["security"] for one in operations(told)} == kept


def test_every_field_of_an_answer_is_explained(told: dict[str, Any]) -> None:
    schemas = told["components"]["schemas"]
    silent = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, known in schema["properties"].items()
        if "description" not in known and "$ref" not in known
    ]

    # The names of the states in Counts, and what `Fault` and `Problem` have in common with everybody's.
    assert [one for one in silent if not one.startswith("Counts.")] == []


@pytest.mark.parametrize(
    ("pattern", "takes"),
    [(names.PROJECT, project_id), (names.POOL, pool_name), (names.INSTANCE, instance_id)],
)
@pytest.mark.parametrize(
    "text",
    [
        "a",
        "my-project",
        "My_Project",
        "-x",
        "_x",
        "x" * 63,
        "x" * 64,
        "",
        "a.b",
        "ü",
        "i-01234567",
        "i-0123456789abcdef0",
        "i-0123456789ABCDEF0",
        "i-0",
        "a\n",
    ],
)
def test_the_patterns_say_what_the_domain_says(pattern: str, takes: Any, text: str) -> None:
    try:
        takes(text)
        taken = True
    except InvalidInput:
        taken = False

    assert bool(re.fullmatch(pattern.strip("^$"), text)) is taken


def test_a_project_id_in_the_document_is_none_of_the_reserved_names(told: dict[str, Any]) -> None:
    (project,) = told["paths"]["/v1/allocations/{project}"]["get"]["parameters"]

    assert set(project["schema"]["not"]["enum"]) == RESERVED_NAMES


# Served


def test_the_service_serves_it(service: Service, told: dict[str, Any]) -> None:
    answer = service.http.get("/openapi.json")

    assert (answer.status_code, answer.mimetype, answer.get_json()) == (200, "application/json", told)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/page.css", "/docs/page.js"])
def test_it_needs_no_token(transactions: Any, path: str) -> None:
    assert Service(transactions, TOKEN).http.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/page.css"])
def test_what_has_not_changed_is_not_sent_again(service: Service, path: str) -> None:
    tag = service.http.get(path).headers["ETag"]

    answer = service.http.get(path, headers={"If-None-Match": tag})

    assert (answer.status_code, answer.data) == (304, b"")


def test_the_page_loads_nothing_from_elsewhere(service: Service) -> None:
    answer = service.http.get("/docs")
    loaded = re.findall(r'(?:src|action)="([^"]*)"|<link[^>]*href="([^"]*)"', answer.text)

    assert {one for pair in loaded for one in pair if one} == {"/docs/page.css", "/docs/page.js"}
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<style|<script>| style=| on[a-z]+=", answer.text)


def test_the_page_has_every_operation_and_every_error(service: Service, told: dict[str, Any]) -> None:
    page = service.http.get("/docs").text

    for path, methods in told["paths"].items():
        assert path in page
        for one in methods.values():
            assert f'id="{one["operationId"]}"' in page
    codes = set(re.findall(r"problem:([a-z-]+)", str(told)))
    assert codes
    assert [code for code in codes if f"<code>{code}</code>" not in page] == []


def test_every_link_on_the_page_leads_somewhere(service: Service) -> None:
    page = service.http.get("/docs").text
    anchors = set(re.findall(r'id="([^"]*)"', page))

    assert [one for one in re.findall(r'href="#([^"]*)"', page) if one not in anchors] == []


def test_the_guide_shows_an_error_as_it_is(service: Service) -> None:
    answer = service.http.put("/v1/allocations/x", json={"ttl": "3600", "poll": "default"})
    detail = answer.get_json(force=True)["detail"]

    assert detail.replace("'", "&#x27;") in service.http.get("/docs").text.replace("&#39;", "&#x27;")
