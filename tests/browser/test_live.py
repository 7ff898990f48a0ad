"""A page that is left open: it follows the pool, and does not disturb who works with it."""

import pytest

from tests.browser.installation import Installation
from tests.browser.visit import POLL, Visit, Visitor


@pytest.fixture
def visit(installation: Installation, visitor: Visitor) -> Visit:
    """An open page on which time passes as the test says."""
    visit = visitor(installation.url)
    visit.holds_time()
    visit.open()
    return visit


def test_a_claim_is_shown_within_two_seconds(installation: Installation, visit: Visit) -> None:
    made = installation.allocate("somebody")

    visit.polled()

    visit.row("allocations", "somebody").wait_for()
    visit.row("instances", made["instance"]).filter(has_text="somebody").wait_for()


def test_typing_goes_on_while_the_page_changes(installation: Installation, visit: Visit) -> None:
    search = visit.page.get_by_role("searchbox")
    search.fill("some")

    installation.allocate("somebody-else")
    visit.polled()
    visit.row("allocations", "somebody-else").wait_for()

    visit.page.keyboard.type("body")
    assert search.input_value() == "somebody"


def test_what_is_open_stays_open(installation: Installation, visit: Visit) -> None:
    data = visit.section("chart").locator("details")
    data.locator("summary").click()

    installation.allocate("opener")
    visit.polled()
    visit.row("allocations", "opener").wait_for()

    assert data.get_attribute("open") is not None


def test_the_focus_stays_where_it_is(installation: Installation, visit: Visit) -> None:
    machine = next(iter(installation.service.machines("idle")))
    link = visit.row("instances", machine).get_by_role("link").first
    link.focus()
    before = link.get_attribute("href")

    installation.allocate("focused")
    visit.polled()
    visit.row("allocations", "focused").wait_for()

    assert visit.page.evaluate("document.activeElement.getAttribute('href')") == before


def test_it_is_asked_seldom_while_nobody_sees_it(installation: Installation, visitor: Visitor) -> None:
    visit = visitor(installation.url)
    visit.page.add_init_script(
        "Object.defineProperty(document, 'hidden', {get: () => true});"
        "Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'});"
    )
    visit.holds_time()
    visit.open()

    visit.page.clock.run_for(10 * POLL)

    assert len([url for url in visit.asked if "/dashboard/live" in url]) <= 1


def test_a_change_of_the_headline_is_told_to_a_screen_reader(
    installation: Installation, visit: Visit
) -> None:
    told = visit.page.locator("#said[role=status]")
    installation.change(paused=True)

    visit.polled()
    visit.awaits_verdict("paused")

    assert "paused" in (told.text_content() or "").lower()
