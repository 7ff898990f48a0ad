"""The database goes away under an open page, and under one that is opened meanwhile; and comes back."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.browser.installation import Installation, installed
from tests.browser.visit import Visit, Visitor
from tests.e2e.processes import DEADLINE
from tests.postgres import Server, a_server_of_ones_own
from tests.waiting import until

REFUSED = r"the server responded with a status of 503"
BACK_WITHIN = 60_000.0
"""Milliseconds: it is asked for every ten seconds."""


@dataclass(frozen=True)
class Place:
    """An installation on a PostgreSQL of its own."""

    database: Server
    installation: Installation

    @property
    def url(self) -> str:
        return self.installation.service.url


@pytest.fixture(scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with a_server_of_ones_own() as server:
        settings = {"ORCHESTRATOR_DATABASE_URL": server.new_database("registry")}
        with installed(tmp_path_factory.mktemp("away"), settings, idle=2) as made:
            yield Place(server, made)


@pytest.fixture
def place(_place: Place) -> Iterator[Place]:
    """It is there when a test begins, and when it has ended."""
    service = _place.installation.service
    until(lambda: service.http.get("/status").is_success, within=DEADLINE, what="the service to be back")
    yield _place
    if not _place.database.running:
        _place.database.start()


@pytest.fixture
def opened(place: Place, visitor: Visitor) -> Visit:
    """A page that was opened while all was well."""
    visit = visitor(place.url)
    visit.open()
    visit.awaits_verdict("healthy")
    return visit


def test_an_open_page_says_so_and_keeps_what_it_knew(place: Place, opened: Visit) -> None:
    opened.expects(REFUSED)
    place.database.stop()
    opened.banner.wait_for()

    assert opened.section("instances").locator("tbody tr").count() == 2
    assert opened.barriers("database-down-under-an-open-page") == []


def test_an_open_page_goes_on_by_itself_when_it_is_back(place: Place, opened: Visit) -> None:
    opened.expects(REFUSED)
    place.database.stop()
    opened.banner.wait_for()

    place.database.start()
    opened.banner.wait_for(state="hidden", timeout=BACK_WITHIN)


def test_a_page_that_is_opened_meanwhile_says_what_is_the_matter(place: Place, visitor: Visitor) -> None:
    visit = visitor(place.url)
    place.database.stop()

    visit.expects(REFUSED)
    assert visit.open() == 503

    assert visit.barriers("database-down") == []


def test_a_page_that_was_opened_meanwhile_becomes_the_dashboard_by_itself(
    place: Place, visitor: Visitor
) -> None:
    visit = visitor(place.url)
    place.database.stop()
    visit.expects(REFUSED)
    visit.open()

    place.database.start()
    visit.section("health").wait_for(timeout=BACK_WITHIN)
