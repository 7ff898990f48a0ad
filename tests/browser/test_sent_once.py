"""Whatever happens on the way, a form is sent once: what was confirmed once is not done twice."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import Request, Route

from tests.browser.installation import Installation
from tests.browser.visit import Visit, Visitor

ACTIONS = "**/dashboard/do/**"
A_MINUTE = 60_000
"""Milliseconds."""
LOCKED = 60_000.0
"""Milliseconds: the service waits for the database for five seconds, more than once."""
NO_CONNECTION = "net::ERR_FAILED"


@pytest.fixture
def visit(installation: Installation, visitor: Visitor) -> Visit:
    visit = visitor(installation.url)
    visit.open()
    return visit


@pytest.fixture
def sent(visit: Visit) -> list[str]:
    """Where forms were sent to."""
    found: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            found.append(request.url)

    visit.page.on("request", note)
    return found


@contextmanager
def locked(installation: Installation) -> Iterator[None]:
    """Let nobody write to the database: the service waits for some seconds, and says that it is away."""
    path = installation.service.settings["ORCHESTRATOR_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def confirm(visit: Visit) -> None:
    """Send the form of a page, and do not wait for the page that answers."""
    visit.question.get_by_role("button", name="Pause").click(no_wait_after=True)


def breaks_off(route: Route) -> None:
    """Lose the connection when a form is sent."""
    if route.request.method == "POST":
        route.abort()
    else:
        route.continue_()


def test_a_page_that_answers_a_form_sends_it_no_second_time(
    installation: Installation, visit: Visit, sent: list[str]
) -> None:
    visit.expects("status of 503")
    visit.page.clock.install()
    visit.open("/dashboard/do/pause?pool=default")
    with locked(installation):
        confirm(visit)
        visit.page.get_by_text("It is not known whether this was done").wait_for(timeout=LOCKED)

    visit.page.clock.run_for(A_MINUTE)
    visit.check()

    assert len(sent) == 1
    assert not installation.pool()["paused"]
    assert visit.barriers("not-known-whether-it-was-done") == []


def test_what_was_not_known_can_be_asked_anew(installation: Installation, visit: Visit) -> None:
    visit.expects("status of 503")
    visit.open("/dashboard/do/pause?pool=default")
    with locked(installation):
        confirm(visit)
        visit.page.get_by_role("link", name="Ask me anew").wait_for(timeout=LOCKED)

    visit.page.get_by_role("link", name="Ask me anew").click()
    visit.answer("Pause")

    visit.awaits_verdict("paused")


def test_a_database_that_goes_away_is_told_in_the_dialog(
    installation: Installation, visit: Visit, sent: list[str]
) -> None:
    visit.expects("status of 503")
    visit.ask("instances", "Hold").get_by_label("Reason").fill("its disk is full")
    with locked(installation):
        visit.answer("Hold it")
        visit.question.get_by_role("alert").filter(has_text="not known whether").wait_for(timeout=LOCKED)

    assert len(sent) == 1
    assert visit.question.get_by_label("Reason").input_value() == "its disk is full"


def test_what_was_typed_stays_when_the_network_fails(visit: Visit, sent: list[str]) -> None:
    visit.expects(NO_CONNECTION)
    visit.page.route(ACTIONS, breaks_off)
    visit.ask("instances", "Hold").get_by_label("Reason").fill("its disk is full")

    visit.answer("Hold it")
    visit.question.get_by_role("alert").filter(has_text="not known whether").wait_for()

    assert visit.barriers("question-network-away", whole=False) == []
    assert visit.question.get_by_label("Reason").input_value() == "its disk is full"
    assert len(sent) == 1


def test_it_can_be_confirmed_again_then(visit: Visit) -> None:
    visit.expects(NO_CONNECTION)
    visit.page.route(ACTIONS, breaks_off)
    visit.ask("instances", "Hold").get_by_label("Reason").fill("its disk is full")
    visit.answer("Hold it")
    visit.question.get_by_role("alert").wait_for()

    visit.page.unroute(ACTIONS)
    visit.answer("Hold it")

    visit.done.filter(has_text="is held").wait_for()
    visit.row("instances", "its disk is full").wait_for()


def test_a_question_that_does_not_come_leaves_the_page_as_it_is(visit: Visit) -> None:
    visit.expects(NO_CONNECTION)
    visit.page.route(ACTIONS, lambda route: route.abort())
    link = visit.section("health").get_by_role("link", name="Pause")

    link.click()
    visit.page.get_by_role("dialog").get_by_role("alert").filter(has_text="Nothing was done").wait_for()
    assert visit.barriers("no-question", whole=False) == []
    visit.page.get_by_role("link", name="Close").click()

    assert visit.section("health").is_visible()


def test_a_question_is_asked_again_when_it_did_not_come(visit: Visit) -> None:
    visit.expects(NO_CONNECTION)
    visit.page.route(ACTIONS, lambda route: route.abort())
    visit.section("health").get_by_role("link", name="Pause").click()
    again = visit.page.get_by_role("dialog").get_by_role("link", name="Try again")
    again.wait_for()
    visit.page.unroute(ACTIONS)

    again.click()

    visit.question.wait_for()


def test_a_refusal_is_told_in_the_dialog(installation: Installation, visit: Visit) -> None:
    visit.expects("status of 412")
    visit.ask("health", "Pause")
    installation.change(buffer=2)

    visit.answer("Pause")
    visit.page.get_by_role("dialog").get_by_role("alert").filter(has_text="changed").wait_for()

    assert visit.page.url == f"{installation.url}/dashboard"


def test_an_answer_that_is_lost_is_told_as_lost(installation: Installation, visit: Visit) -> None:
    """It was done: what is shown behind tells so, and nobody is told that it was not."""
    visit.expects(NO_CONNECTION)

    def loses_the_answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch(max_redirects=0)
            route.abort()
        else:
            route.continue_()

    visit.page.route(ACTIONS, loses_the_answer)
    visit.ask("health", "Pause")
    visit.answer("Pause")
    visit.question.get_by_role("alert").filter(has_text="not known whether").wait_for()

    visit.awaits_verdict("paused")
    assert installation.pool()["paused"]
