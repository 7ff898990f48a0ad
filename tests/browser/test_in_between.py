"""Something between the browser and the service answers in its place: a page tells it for what it is."""

import pytest
from playwright.sync_api import Route

from tests.browser.installation import Installation
from tests.browser.visit import Visit, Visitor
from tests.waiting import until

LIVE = "**/dashboard/live*"
LOGIN_OF_A_PROXY = "<!doctype html><title>Sign in</title><h1>Sign in</h1>"
BACKOFF = 4_000
"""Milliseconds after which it is asked again when it failed once."""
LONGEST = 10_000
"""Milliseconds after which it is asked again, however often it failed.

Too long for the first poll: the page would wait for its answer for most of them, and give up after 8 s.
"""


@pytest.fixture
def visit(installation: Installation, visitor: Visitor) -> Visit:
    """An open page on which time passes as the test says."""
    visit = visitor(installation.url)
    visit.holds_time()
    visit.open()
    return visit


def test_another_page_is_no_news(visit: Visit) -> None:
    visit.page.route(LIVE, lambda route: route.fulfill(content_type="text/html", body=LOGIN_OF_A_PROXY))

    visit.polled()
    visit.polled(LONGEST)

    visit.banner.filter(has_text="Something else answers in place of the service").wait_for()
    assert visit.page.title().startswith("Something else answers")
    visit.page.clock.resume()  # axe waits now and then
    assert visit.barriers("something-else-answers") == []


def test_a_redirect_is_no_news_and_is_not_followed(visit: Visit) -> None:
    visit.page.route(LIVE, lambda route: route.fulfill(status=302, headers={"Location": "/healthz"}))

    def is_told() -> bool:
        visit.page.clock.run_for(BACKOFF)
        return visit.banner.filter(has_text="Something else answers").is_visible()

    until(is_told)
    assert not [url for url in visit.asked if "healthz" in url]


def test_its_tag_is_not_kept(visit: Visit) -> None:
    tags: list[str | None] = []

    def answers(route: Route) -> None:
        tags.append(route.request.headers.get("if-none-match"))
        route.fulfill(content_type="text/html", headers={"ETag": '"theirs"'}, body=LOGIN_OF_A_PROXY)

    visit.page.route(LIVE, answers)
    visit.polled()
    visit.polled(LONGEST)
    visit.polled(LONGEST)

    assert len(tags) >= 3
    assert '"theirs"' not in tags


def test_the_page_goes_on_when_the_service_answers_again(visit: Visit) -> None:
    visit.page.route(LIVE, lambda route: route.fulfill(content_type="text/html", body=LOGIN_OF_A_PROXY))
    visit.polled()
    visit.polled(LONGEST)
    visit.banner.wait_for()

    visit.page.unroute(LIVE)
    visit.polled(LONGEST)

    visit.banner.wait_for(state="hidden")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_that_has_no_answer_is_told_with_its_status(visit: Visit, status: int) -> None:
    visit.expects(f"status of {status}")
    untold = []

    def answers(route: Route) -> None:
        untold.append(visit.banner.is_hidden())
        route.fulfill(status=status, content_type="text/html", body="<h1>Bad</h1>")

    visit.page.route(LIVE, answers)
    visit.polled()
    visit.polled(LONGEST)

    visit.banner.filter(has_text=f"The service does not answer ({status})").wait_for()
    assert "database" not in visit.banner.inner_text()
    assert untold == [True, True]  # when it asked again, too: the first may be a restart


def test_what_the_service_itself_refuses_is_told_in_its_words(visit: Visit) -> None:
    visit.expects("status of 503")
    problem = """{"type": "urn:ec2-orchestrator:problem:registry-unavailable", "title": "x", "status": 503,
        "detail": "x", "code": "registry-unavailable"}"""
    visit.page.route(
        LIVE,
        lambda route: route.fulfill(status=503, content_type="application/problem+json", body=problem),
    )

    visit.polled()

    visit.banner.filter(has_text="cannot reach its database").wait_for()
