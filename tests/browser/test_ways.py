"""The ways to use the page: by keyboard alone, on a phone, without scripts."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installation import Installation
from tests.browser.visit import PHONE, Visitor
from tests.waiting import until

TABS = 60
"""More than there are stops on the page."""


@pytest.fixture
def url(installation: Installation) -> str:
    """Where there are two idle instances, and one of my-project."""
    installation.allocate("my-project")
    # What another test had is found by its name until it is gone.
    installation.service.settled(idle=2, used=1)
    return installation.url


def stops(page: Page) -> Iterator[str]:
    """Press Tab, again and again; what has the focus then, until it is the page itself."""
    for _ in range(TABS):
        page.keyboard.press("Tab")
        yield page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if page.evaluate("document.activeElement === document.body"):
            return


def test_the_first_stop_leads_past_the_head(url: str, visitor: Visitor) -> None:
    visit = visitor(url)
    visit.open()

    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")

    assert visit.page.evaluate("document.activeElement.closest('main') !== null")


def test_every_stop_can_be_seen(url: str, visitor: Visitor) -> None:
    visit = visitor(url)
    visit.open()
    looks = (
        "(({outlineStyle, boxShadow}) => outlineStyle + boxShadow)(getComputedStyle(document.activeElement))"
    )

    unseen = [
        stop
        for stop in stops(visit.page)
        if not stop.startswith("<body") and visit.page.evaluate(looks) == "nonenone"
    ]

    assert unseen == []


def test_an_instance_is_found_by_keyboard(url: str, visitor: Visitor) -> None:
    visit = visitor(url)
    visit.open()

    next(stop for stop in stops(visit.page) if 'type="search"' in stop)
    visit.page.keyboard.type("my-project")
    visit.page.keyboard.press("Enter")

    expect(visit.section("instances").locator("tbody tr")).to_have_count(1)


def test_the_chart_is_read_by_keyboard(url: str, visitor: Visitor) -> None:
    visit = visitor(url)
    figure = visit.section("chart").locator("figure")

    def has_points() -> bool:
        visit.open()
        return bool(json.loads(figure.get_attribute("data-points") or "")["points"])

    until(has_points, what="the first sample")  # which is taken some seconds after the start
    figure.focus()

    visit.page.keyboard.press("ArrowLeft")

    assert "idle" in figure.locator("output").inner_text().lower()


def test_it_can_be_read_without_scripts(url: str, visitor: Visitor) -> None:
    visit = visitor(url, scripts=False)
    visit.opens_saying("healthy")

    visit.row("instances", "my-project").wait_for()
    visit.picture("without-scripts")


def test_it_can_be_searched_without_scripts(url: str, visitor: Visitor) -> None:
    visit = visitor(url, scripts=False)
    visit.open()

    visit.page.get_by_role("searchbox").fill("my-project")
    visit.page.get_by_role("button", name="Find").click()

    expect(visit.section("instances").locator("tbody tr")).to_have_count(1)


def test_another_state_can_be_chosen_on_a_phone(url: str, visitor: Visitor) -> None:
    visit = visitor(url, size=PHONE)
    visit.open()

    visit.page.get_by_label("State").select_option("allocated")

    expect(visit.section("instances").locator("tbody tr")).to_have_count(1)
    assert visit.sideways() == 0


def test_a_browser_at_the_door_is_shown_the_dashboard(url: str, visitor: Visitor) -> None:
    visit = visitor(url)

    visit.open("/")

    assert visit.page.url == f"{url}/dashboard"
