"""A pool of 2,000 instances: the page is as quick to read as with two."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.installation import crowded
from tests.browser.visit import Visit, Visitor
from tests.e2e.processes import Service

LIVING = 2_000
A_PAGE = 50


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with crowded(tmp_path_factory.mktemp("many"), LIVING) as service:
        yield service


@pytest.fixture
def visit(service: Service, visitor: Visitor) -> Visit:
    visit = visitor(service.url)
    visit.open()
    return visit


def listed(visit: Visit) -> set[str]:
    """The ids in the table of instances as it stands."""
    keys = "rows => rows.map(row => row.dataset.key)"
    return set(visit.section("instances").locator("tbody tr").evaluate_all(keys))


def test_a_part_is_shown_and_the_whole_is_counted(visit: Visit) -> None:
    assert len(listed(visit)) == A_PAGE
    assert "2,000" in visit.section("instances").inner_text()


def test_the_next_part_shows_others(visit: Visit) -> None:
    first = listed(visit)

    visit.section("instances").get_by_role("link", name="Older").click()
    visit.section("instances").get_by_text("51 to 100").wait_for()

    second = listed(visit)
    assert len(second) == A_PAGE
    assert not first & second


def test_a_project_is_found_by_its_name(visit: Visit) -> None:
    search = visit.page.get_by_role("searchbox")
    search.fill("project-1234")
    search.press("Enter")

    expect(visit.section("instances").locator("tbody tr")).to_have_count(1)
    assert visit.row("instances", "team-34-project-1234").count() == 1


def test_what_does_not_occur_is_said_so(visit: Visit) -> None:
    visit.open("/dashboard?q=nobody-has-this")

    assert visit.section("instances").locator("tbody tr[data-key]").count() == 0
    assert visit.barriers("many-nothing-found") == []


def test_one_state_alone_can_be_shown(visit: Visit) -> None:
    visit.open("/dashboard?state=terminating")

    assert visit.section("instances").locator("tbody tr").count() == 10


def test_the_page_stays_filtered_while_it_follows_the_pool(service: Service, visitor: Visitor) -> None:
    visit = visitor(service.url)
    visit.page.clock.install()
    visit.open("/dashboard?q=project-1234")

    with visit.page.expect_response("**/dashboard/live*") as answer:
        visit.page.clock.run_for(2_000)

    assert "q=project-1234" in answer.value.url
    assert visit.row("instances", "team-34-project-1234").count() == len(listed(visit)) == 1


def test_the_chart_goes_back_a_day(visit: Visit) -> None:
    visit.section("chart").get_by_role("link", name="24 hours").click()
    visit.page.locator("#chart[data-hours='24']").wait_for()

    visit.section("chart").locator("summary").click()

    visit.picture("many-a-day")
    assert visit.section("chart").locator("tbody tr").count() >= 12


def test_a_pool_at_rest_is_sent_once(service: Service, visitor: Visitor) -> None:
    visit = visitor(service.url)
    visit.page.clock.install()
    visit.open()
    visit.awaits_verdict("blind")  # some seconds after the start: nobody looks after the pool

    statuses = []
    for _ in range(2):
        with visit.page.expect_response("**/dashboard/live*") as answer:
            visit.page.clock.run_for(2_000)
        statuses.append(answer.value.status)

    assert statuses[1] == 304


def test_everybody_can_use_it(visit: Visit) -> None:
    assert visit.barriers("many", whole=False) == []
