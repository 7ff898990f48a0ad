"""/docs in a browser."""

from collections.abc import Iterator

import pytest

from tests.browser.visit import Visitor
from tests.e2e.processes import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    database = tmp_path_factory.mktemp("docs") / "registry.db"
    with Service(database, {"ORCHESTRATOR_POLLER": "off"}) as service:
        service.start()
        yield service


def test_everybody_can_use_it(service: Service, visitor: Visitor) -> None:
    visit = visitor(service.url)
    visit.open("/docs")

    assert visit.barriers("docs", whole=False) == []


def test_a_request_to_another_host_is_seen(service: Service, visitor: Visitor) -> None:
    visit = visitor(service.url)
    visit.open("/docs")

    with visit.expecting("another host: GET http://example.com/", "ERR_|Content Security Policy"):
        visit.page.evaluate("fetch('http://example.com/').catch(() => 0)")
