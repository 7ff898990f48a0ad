"""GET /metrics, and what is counted of requests: after a life in short, through the interface alone."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from app.domain.errors import RegistryUnavailable
from app.registry.transactions import Transactions
from app.telemetry.families import FAMILIES
from tests.unit.web.services import TOKEN, Service

P = "ec2_orchestrator_"
PROMETHEUS_ACCEPTS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;"
    "version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,"
    "*/*;q=0.2"
)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"


def found(service: Service, name: str, **labels: str) -> dict[tuple[str, ...], float]:
    """The samples of this name that have these labels: by the values of the others."""
    samples = [
        one
        for family in parsed(service.http.get("/metrics").get_data(as_text=True))
        for one in family.samples
        if one.name == P + name and one.labels.items() >= labels.items()
    ]
    return {
        tuple(told for name, told in one.labels.items() if name not in labels): one.value for one in samples
    }


def away(service: Service) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RegistryUnavailable

    service.census.survey = fail  # type: ignore[method-assign]


def test_it_is_text_for_prometheus(service: Service) -> None:
    answer = service.http.get("/metrics")

    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("accept", ["application/openmetrics-text", PROMETHEUS_ACCEPTS])
def test_it_is_openmetrics_for_who_asks_for_it(service: Service, accept: str) -> None:
    answer = service.http.get("/metrics", headers={"Accept": accept})

    assert answer.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.get_data(as_text=True).endswith("# EOF\n")


@pytest.mark.parametrize("accept", ["text/plain;version=x", "application/openmetrics-text;q=0", "*/*", ";,"])
def test_whatever_else_is_accepted_it_is_plain_text(service: Service, accept: str) -> None:
    answer = service.http.get("/metrics", headers={"Accept": accept})

    assert (answer.status_code, answer.mimetype) == (200, "text/plain")


def test_head_answers_as_get_does(service: Service) -> None:
    answer = service.http.head("/metrics")

    assert (answer.status_code, answer.mimetype, answer.data) == (200, "text/plain", b"")


def test_no_token_is_needed(transactions: Transactions) -> None:
    closed = Service(transactions, TOKEN)

    assert closed.http.get("/status").status_code == 401
    assert closed.http.get("/metrics").status_code == 200


def test_what_is_printed_is_what_is_documented(service: Service) -> None:
    text = service.http.get("/metrics").get_data(as_text=True)

    printed = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    documented = re.findall(r"^\| `(ec2_orchestrator_\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    assert printed == documented == [(family.name, family.kind.value) for family in FAMILIES]


# How the pools stand


def test_the_figures_are_those_of_status(service: Service) -> None:
    for _ in range(3):
        service.idle()
    service.held_by("alice")
    service.booting()
    status = service.http.get("/status").get_json()

    instances = found(service, "instances", pool="default")

    assert instances == {
        ("booting",): status["bootingMachines"],
        ("idle",): status["idleMachines"],
        ("allocated",): status["usedMachines"],
        ("terminating",): status["terminatingMachines"],
        ("held",): 0,
    }
    assert found(service, "buffer_deficit", pool="default") == {(): status["buffer"] - 3}


def test_a_buffer_that_an_operator_changed_counts_as_it_is_now(service: Service) -> None:
    service.http.patch("/v1/pools/gpu", json={"buffer": 9})

    assert found(service, "buffer") == {("default",): 5, ("gpu",): 9}


def test_a_pool_that_is_paused_is_limited_by_that_and_warns(service: Service) -> None:
    service.http.patch("/v1/pools/gpu", json={"paused": True})

    limited = found(service, "limited", pool="gpu")

    assert {by for by, stands in limited.items() if stands} == {("paused",)}
    assert ("paused",) in found(service, "warning", pool="gpu")
    assert ("paused",) not in found(service, "warning", pool="default")


def test_who_asked_in_vain_waits(service: Service) -> None:
    service.http.get("/my-project")

    assert found(service, "waiting_projects") == {("default",): 1, ("gpu",): 0}


def test_a_database_that_is_away_is_told_and_the_counts_are_there(service: Service) -> None:
    service.idle()
    service.http.get("/my-project")
    assert found(service, "registry_up") == {(): 1}

    away(service)

    assert found(service, "registry_up") == {(): 0}
    assert found(service, "instances") == {}
    assert found(service, "allocations_total", pool="default", outcome="warm") == {(): 1}


# What is counted


def test_allocations_are_counted_by_how_they_ended(service: Service) -> None:
    service.idle()
    for project in ("alice", "alice", "bob"):
        service.http.get(f"/{project}")

    assert found(service, "allocations_total", pool="default") == {
        ("warm",): 1,
        ("repeated",): 1,
        ("empty",): 1,
        ("waited",): 0,
    }


def test_requests_are_counted_by_the_path_that_is_documented(service: Service) -> None:
    service.http.get("/v1/pools/default")
    service.http.get("/v1/pools/gpu")
    service.http.get("/v1/pools/no-such-pool")

    assert found(service, "http_requests_total", route="/v1/pools/{name}") == {
        ("GET", "200"): 2,
        ("GET", "404"): 1,
    }


def test_projects_are_no_labels(service: Service) -> None:
    for number in range(100):
        service.http.get(f"/project-{number}")

    assert found(service, "http_requests_total", route="/{project}") == {("GET", "503"): 100}


def test_a_thousand_paths_that_are_not_there_are_one(service: Service) -> None:
    for number in range(1000):
        service.http.get(f"/no/such/path/{number}")

    assert found(service, "http_requests_total", route="unmatched") == {("GET", "404"): 1000}


def test_methods_that_are_not_there_are_one(service: Service) -> None:
    for method in ("BREW", "WHEN", "PROPFIND", 'A"B'):
        service.http.open("/status", method=method)

    assert found(service, "http_requests_total", route="unmatched") == {("other", "405"): 4}


def test_a_bug_is_counted_as_it_is_answered(service: Service) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    service.registry.claim = fail  # type: ignore[method-assign]

    service.http.get("/my-project")

    assert found(service, "http_requests_total", route="/{project}") == {("GET", "500"): 1}


def test_who_is_refused_is_counted_with_the_path(transactions: Transactions) -> None:
    closed = Service(transactions, TOKEN)

    closed.http.get("/status")

    assert found(closed, "http_requests_total", route="/status") == {("GET", "401"): 1}


def test_a_scrape_is_a_request_like_others(service: Service) -> None:
    service.http.get("/metrics")

    assert found(service, "http_requests_total", route="/metrics") == {("GET", "200"): 1}
