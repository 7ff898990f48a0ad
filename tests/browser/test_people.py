"""People with tokens: who logs in, and what they can do then."""

import pytest

from app.domain.access import Role
from tests.browser.installation import Guarded
from tests.browser.visit import Visitor

DENIED = r"the server responded with a status of 401"


def test_who_is_not_logged_in_is_led_to_the_login(guarded: Guarded, visitor: Visitor) -> None:
    visit = visitor(guarded.url)

    visit.open("/dashboard?state=idle")

    assert visit.page.url.startswith(f"{guarded.url}/login?next=")
    assert visit.page.get_by_label("Token").is_visible()


def test_everybody_can_use_the_login(guarded: Guarded, visitor: Visitor) -> None:
    visit = visitor(guarded.url)
    visit.open("/login")

    assert visit.barriers("login") == []


def test_a_wrong_token_is_said_so(guarded: Guarded, visitor: Visitor) -> None:
    visit = visitor(guarded.url)
    visit.open("/login")

    visit.expects(DENIED)
    visit.page.get_by_label("Token").fill("eco_00000000_wrong")
    visit.page.get_by_label("Token").press("Enter")
    visit.page.get_by_role("alert").wait_for()

    assert visit.barriers("login-wrong") == []


def test_after_the_login_one_is_where_one_wanted_to_be(guarded: Guarded, visitor: Visitor) -> None:
    visit = visitor(guarded.url)

    visit.log_in(guarded.tokens[Role.VIEWER], at="/dashboard?state=idle")

    assert visit.page.url == f"{guarded.url}/dashboard?state=idle"


def test_logging_out_ends_it(guarded: Guarded, visitor: Visitor) -> None:
    visit = visitor(guarded.url)
    visit.log_in(guarded.tokens[Role.VIEWER])

    visit.page.get_by_role("button", name="Log out").click()
    visit.page.wait_for_url("**/login*")

    visit.open("/dashboard")
    assert "/login" in visit.page.url


def test_an_open_page_says_that_its_session_has_ended(guarded: Guarded, visitor: Visitor) -> None:
    visit = visitor(guarded.url)
    visit.page.clock.install()
    visit.log_in(guarded.tokens[Role.VIEWER])

    visit.expects(DENIED)
    visit.forgets_who_it_is()
    visit.page.clock.run_for(2_000)
    visit.banner.get_by_role("link").wait_for()

    assert "/login?next=" in (visit.banner.get_by_role("link").get_attribute("href") or "")
    assert visit.barriers("session-ended") == []


ACTIONS = {
    Role.VIEWER: set(),
    Role.ALLOCATOR: {"Allocate", "Renew", "Release"},
    Role.ADMIN: {"Allocate", "Renew", "Release", "Hold", "Terminate", "Pause", "Change buffer"},
}


@pytest.mark.parametrize("role", Role)
def test_people_see_what_they_may_do_and_nothing_else(guarded: Guarded, visitor: Visitor, role: Role) -> None:
    guarded.allocate("my-project")
    guarded.service.settled(idle=2, used=1)
    visit = visitor(guarded.url)
    visit.log_in(guarded.tokens[role])
    visit.picture(f"role-{role}", whole=False)

    shown = visit.page.locator("a[data-ask]").evaluate_all(
        "all => all.map(one => one.firstChild.textContent)"
    )

    assert {one.strip() for one in shown} == ACTIONS[role]


def test_who_may_not_do_it_is_told_so_by_a_page(guarded: Guarded, visitor: Visitor) -> None:
    visit = visitor(guarded.url)
    visit.log_in(guarded.tokens[Role.VIEWER])

    visit.expects("status of 403")
    assert visit.open("/dashboard/do/pause") == 403

    assert visit.barriers("forbidden") == []


def test_the_token_is_nowhere_in_the_browser(guarded: Guarded, visitor: Visitor) -> None:
    visit = visitor(guarded.url)
    visit.log_in(guarded.tokens[Role.ADMIN])

    kept = visit.page.evaluate(
        "document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)"
    )

    assert kept == "{}{}"
    assert not any(guarded.tokens[Role.ADMIN] in url for url in visit.asked)
