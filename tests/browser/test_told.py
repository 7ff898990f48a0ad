"""What an open page tells those who do not look at it: in a hidden tab, and in the ear; and for how long."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.installation import Installation
from tests.browser.visit import Visit, Visitor

LIVE = "**/dashboard/live*"
HIDDEN_POLL = 20_000
A_MINUTE = 60_000
"""Milliseconds."""
CAN_BE_HIDDEN = """
window.isHidden = false;
Object.defineProperty(document, 'hidden', {get: () => window.isHidden});
"""


@pytest.fixture
def visit(installation: Installation, visitor: Visitor) -> Visit:
    """An open page on which time passes as the test says."""
    visit = visitor(installation.url)
    visit.page.add_init_script(CAN_BE_HIDDEN)
    visit.holds_time()
    visit.open()
    return visit


def hide(visit: Visit) -> None:
    visit.page.evaluate("isHidden = true; document.dispatchEvent(new Event('visibilitychange'))")


def stop(visit: Visit) -> None:
    """Stop updates, while none is on its way."""
    visit.polled()
    visit.page.get_by_role("button", name="Stop updates").click()


def icon(visit: Visit) -> str:
    return visit.page.locator("link[rel=icon]").get_attribute("href") or ""


def retouched(visit: Visit, *changes: tuple[str, str]) -> None:
    """Have the next answers differ from what the service says."""

    def answers(route: Route) -> None:
        answer = route.fetch(headers={**route.request.headers, "if-none-match": ""})
        text = answer.text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        route.fulfill(response=answer, body=text)

    visit.page.route(LIVE, answers)


# A tab that nobody looks at


def test_the_title_of_a_hidden_tab_follows_the_pool(installation: Installation, visit: Visit) -> None:
    hide(visit)
    installation.change(paused=True)

    visit.polled(HIDDEN_POLL)

    expect(visit.page).to_have_title(re.compile("^Paused"))
    assert icon(visit).endswith("icon-warn.svg")


def test_a_title_that_is_old_says_so(visit: Visit) -> None:
    stop(visit)

    visit.page.clock.run_for(2 * A_MINUTE)

    assert visit.page.title().startswith("Not updated since ")
    assert icon(visit).endswith("icon-old.svg")


def test_it_is_as_ever_once_it_is_up_to_date(visit: Visit) -> None:
    stop(visit)
    visit.page.clock.run_for(2 * A_MINUTE)

    visit.page.get_by_role("button", name="Go on").click()

    expect(visit.page).to_have_title(re.compile("^Healthy"))
    assert icon(visit).endswith("icon-good.svg")


# Who listens


def heard(visit: Visit) -> str:
    return visit.page.locator("#said").text_content() or ""


def test_a_count_that_changes_is_not_worth_a_word(visit: Visit) -> None:
    retouched(visit, ("Healthy: 2 idle", "Healthy: 3 idle"))

    visit.polled()
    expect(visit.page).to_have_title(re.compile("^Healthy: 3 idle"))

    assert heard(visit) == ""


@pytest.mark.parametrize(
    "change",
    [
        ('data-waiting="0"', 'data-waiting="1"'),
        ('data-tone="good"', 'data-tone="warn"'),
        ('data-verdict="healthy"', 'data-verdict="filling"'),
        ('data-elsewhere=""', 'data-elsewhere="gpu exhausted"'),
    ],
)
def test_what_a_person_must_know_is(visit: Visit, change: tuple[str, str]) -> None:
    retouched(visit, change)

    visit.polled()

    expect(visit.page.locator("#said")).to_have_text(re.compile("^Healthy"))


# What was done


def test_what_was_done_is_told_for_a_minute(visit: Visit) -> None:
    visit.ask("health", "Pause")
    visit.answer("Pause")
    visit.done.get_by_role("button", name="Dismiss").wait_for()  # from then on the page counts the minute
    assert visit.done.locator("time").count() == 1

    visit.page.clock.run_for(A_MINUTE)

    visit.done.wait_for(state="detached")


def test_what_was_done_can_be_put_away(visit: Visit) -> None:
    visit.ask("health", "Pause")
    visit.answer("Pause")
    visit.picture("done-paused", whole=False)

    visit.done.get_by_role("button", name="Dismiss").click()

    visit.done.wait_for(state="detached")
    assert visit.page.evaluate("document.activeElement.id") == "main"
