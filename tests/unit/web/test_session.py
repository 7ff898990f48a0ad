"""What a browser keeps of a login, and what that is good for."""

from typing import Any

import pytest

from app.domain.access import Role
from app.domain.model import DEFAULT_POOL
from app.registry.transactions import Transactions
from app.service.sessions import LASTS
from app.service.standing import LIMIT
from tests.fakes import FakeTokens
from tests.unit.web.browsers import HTTPS, LINKED, OURS, Browser, cookies_of, leads_to, logged_in, text_of
from tests.unit.web.services import TOKEN, Service, problem_of


@pytest.fixture
def closed(transactions: Transactions) -> Service:
    return Service(transactions, TOKEN, tokens=FakeTokens())


@pytest.fixture
def browser(closed: Service) -> Browser:
    return Browser(closed)


# The cookie


def test_scripts_and_other_sites_have_no_part_in_the_cookie(browser: Browser) -> None:
    (cookie,) = cookies_of(browser.log_in(TOKEN))

    told = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "samesite=lax", "path=/", f"max-age={int(LASTS.total_seconds())}"} <= told
    assert not any(part.startswith("domain") for part in told)


def test_over_plain_http_it_is_not_marked_secure_or_it_would_be_lost(browser: Browser) -> None:
    (cookie,) = cookies_of(browser.log_in(TOKEN))

    assert "secure" not in cookie.lower()


@pytest.mark.parametrize(
    "way",
    [
        {"base_url": HTTPS},
        {"base_url": "http://pool.example.com", "headers": {"Origin": HTTPS}},
    ],
)
def test_over_https_it_stays_there_and_is_of_this_host_alone(closed: Service, way: dict[str, Any]) -> None:
    """In the second case a proxy speaks HTTPS and does not say so: the browser does."""
    browser = Browser(closed, base_url=way["base_url"])

    (cookie,) = cookies_of(browser.post("/login", {"token": TOKEN}, headers=way.get("headers")))

    assert cookie.startswith("__Host-")
    assert "; Secure" in cookie
    assert "; Path=/" in cookie


def test_over_https_a_cookie_that_a_neighbour_may_have_set_is_not_read(closed: Service) -> None:
    plain = logged_in(closed)
    name, value = next(iter(plain.cookies.items()))
    neighbour = Browser(closed, base_url="https://localhost:9092")
    neighbour.http.set_cookie(name, value, domain="localhost")

    assert leads_to(neighbour.get("/dashboard")).startswith("/login")


def test_two_services_of_one_machine_do_not_share_a_cookie(closed: Service) -> None:
    one, other = logged_in(closed), Browser(closed, base_url="http://localhost:9093")
    leads_to(other.log_in(TOKEN))

    assert not one.cookies.keys() & other.cookies.keys()


def test_a_session_that_was_put_into_a_browser_before_is_not_taken_over(closed: Service) -> None:
    """Session fixation: who knows the old cookie must not be logged in with its victim."""
    browser = Browser(closed)
    browser.http.set_cookie("ec2-orchestrator-session-9092", "x" * 43, domain="localhost")

    browser.log_in(TOKEN)

    assert browser.session != "x" * 43
    assert closed.sessions.identity("x" * 43) is None


def test_a_new_login_ends_the_session_before_it(closed: Service) -> None:
    browser = logged_in(closed)
    before = browser.session

    browser.log_in(TOKEN)

    assert closed.sessions.identity(before) is None
    assert browser.get("/dashboard").status_code == 200


# What a session is good for


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/status"),
        ("GET", "/a1"),
        ("POST", "/destroy"),
        ("GET", "/v1/pools"),
        ("PUT", "/v1/allocations/a1"),
        ("PATCH", "/v1/pools/default"),
    ],
)
def test_programs_have_no_use_for_it(closed: Service, method: str, path: str) -> None:
    """Or any page could use the interface with it, where no form is checked."""
    browser = logged_in(closed)
    closed.idle()

    answer = browser.http.open(
        path, method=method, json={"buffer": 1}, headers=OURS, base_url="http://localhost:9092"
    )

    assert (answer.status_code, problem_of(answer)) == (401, "unauthenticated")
    assert closed.allocated == 0


def test_a_page_may_be_asked_for_with_the_header_as_well(browser: Browser) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}

    assert browser.get("/dashboard", headers=headers).status_code == 200


def test_a_wrong_token_in_the_header_is_401_and_no_login(browser: Browser) -> None:
    assert browser.get("/dashboard", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_header_of_another_scheme_is_between_the_browser_and_a_proxy(closed: Service) -> None:
    basic = {"Authorization": "Basic YTpi"}

    assert logged_in(closed).get("/dashboard", headers=basic).status_code == 200
    assert leads_to(Browser(closed).get("/dashboard", headers=basic)) == "/login"


def test_the_session_ends_with_its_token(closed: Service) -> None:
    browser = logged_in(closed)
    closed.tokens.revoke("ann-admin", actor="cli:bob", now=closed.clock.now())

    closed.watch.advance(LIMIT)

    assert leads_to(browser.get("/dashboard")) == "/login"
    assert browser.get("/dashboard/live").status_code == 401


def test_who_comes_back_after_it_ended_is_told_once(closed: Service) -> None:
    browser = logged_in(closed)
    closed.clock.advance(LASTS)

    assert "Your session has ended" in text_of(browser.get("/login"))
    assert "Your session has ended" not in text_of(browser.get("/login"))


@pytest.mark.parametrize("role", Role)
def test_the_page_says_who_is_logged_in(closed: Service, role: Role) -> None:
    assert f"ann-{role}" in logged_in(closed, role).get("/dashboard").get_data(as_text=True)


def test_a_link_on_another_site_leads_to_the_dashboard_of_who_is_logged_in(closed: Service) -> None:
    assert logged_in(closed).get("/dashboard", headers=LINKED).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/live", "/dashboard/do/pause"])
def test_no_other_page_shows_it_in_a_frame_or_reads_it(closed: Service, site: str, path: str) -> None:
    browser = logged_in(closed)
    for mode, goal in (("navigate", "iframe"), ("cors", "empty"), ("no-cors", "script")):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": goal}
        assert browser.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_of_other_pages_leads_to_no_question(closed: Service, site: str) -> None:
    """It could appear where a click is about to fall that was meant for the other page."""
    headers = {**LINKED, "Sec-Fetch-Site": site}

    assert logged_in(closed).get("/dashboard/do/pause", headers=headers).status_code == 403


# Without tokens


def test_an_open_service_asks_nobody_to_log_in(service: Service) -> None:
    browser = Browser(service)

    assert browser.get("/dashboard").status_code == 200
    assert leads_to(browser.get("/login")) == "/dashboard"
    assert leads_to(browser.log_in("whatever")) == "/dashboard"
    assert not browser.cookies


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/live", "/dashboard/do/pause"])
def test_an_open_service_shows_its_pages_to_this_machine_alone(transactions: Transactions, path: str) -> None:
    service = Service(transactions, loopback_only=True)

    assert Browser(service).get(path).status_code == 200
    assert Browser(service, address="10.0.0.5").get(path).status_code == 403
    assert Browser(service, base_url="http://evil.example:9092").get(path).status_code == 403


def test_a_page_whose_name_was_made_to_lead_here_does_nothing(transactions: Transactions) -> None:
    """DNS rebinding: for the browser it is one origin, and so its forms come from there as they should."""
    service = Service(transactions, loopback_only=True)
    rebound = Browser(service, base_url="http://evil.example:9092")

    answer = rebound.post("/dashboard/do/pause?pool=default", {"version": "0"})

    assert answer.status_code == 403
    assert not service.controls.controls(DEFAULT_POOL).paused
