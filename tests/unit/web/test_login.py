"""Logging in with a token, and out; where it leads, and where it never does."""

from datetime import timedelta

import pytest

from app.domain.access import Role
from app.registry.transactions import Transactions
from app.service.attempts import ALLOWED
from app.web import visitors
from tests.fakes import FakeTokens
from tests.unit.web.browsers import OURS, TYPED, Browser, cookies_of, leads_to, logged_in, text_of
from tests.unit.web.services import TOKEN, Service


@pytest.fixture
def closed(transactions: Transactions) -> Service:
    return Service(transactions, TOKEN, tokens=FakeTokens())


@pytest.fixture
def browser(closed: Service) -> Browser:
    return Browser(closed)


# Not logged in


def test_who_is_not_logged_in_is_led_to_the_login(browser: Browser) -> None:
    assert leads_to(browser.get("/dashboard")) == "/login"


@pytest.mark.parametrize(
    "path",
    ["/dashboard?pool=gpu&q=a%20b", "/dashboard/do/release?project=my-project", "/dashboard/do/pause"],
)
def test_and_comes_to_what_was_asked_for_by_way_of_it(browser: Browser, path: str) -> None:
    login = leads_to(browser.get(path))

    answer = browser.post(login, {"token": TOKEN})

    assert leads_to(answer) == path
    assert browser.get(path).status_code in {200, 404}


def test_a_form_that_was_sent_after_the_session_had_ended_is_asked_again_after_the_login(
    browser: Browser,
) -> None:
    login = leads_to(browser.post("/dashboard/do/release?project=a1", {"shown": "x"}))

    assert leads_to(browser.post(login, {"token": TOKEN})) == "/dashboard/do/release?project=a1"


@pytest.mark.parametrize("path", ["/dashboard/live", "/dashboard/chart"])
def test_what_the_page_asks_for_by_itself_is_401(browser: Browser, path: str) -> None:
    answer = browser.get(path)

    assert (answer.status_code, "Location" in answer.headers) == (401, False)


def test_everybody_sees_how_the_login_looks(browser: Browser) -> None:
    for path in ("/login", "/dashboard/assets/style.css", "/dashboard/assets/actions.js"):
        assert browser.get(path).status_code == 200


def test_the_login_tells_how_to_get_a_token(browser: Browser) -> None:
    assert "ec2-orchestrator token create" in text_of(browser.get("/login"))


# Logging in


def test_a_token_opens_the_dashboard(closed: Service) -> None:
    browser = logged_in(closed, Role.VIEWER)

    assert browser.get("/dashboard").status_code == 200


def test_blanks_around_a_token_come_from_copying(browser: Browser) -> None:
    assert leads_to(browser.log_in(f" {TOKEN}\r\n")) == "/dashboard"


@pytest.mark.parametrize(("token", "status"), [("", 400), ("  ", 400), ("wrong", 401), ("a b", 401)])
def test_a_wrong_token_is_told_on_the_same_page(browser: Browser, token: str, status: int) -> None:
    answer = browser.log_in(token)

    assert answer.status_code == status
    assert 'role="alert"' in answer.get_data(as_text=True)
    assert 'name="token"' in answer.get_data(as_text=True)
    assert not cookies_of(answer)


def test_what_was_typed_is_not_sent_back(browser: Browser) -> None:
    typed = f"eco_00000000_{'Q' * 43}"

    assert typed not in browser.log_in(typed).get_data(as_text=True)


def test_after_a_wrong_token_one_still_comes_to_what_was_asked_for(browser: Browser) -> None:
    html = browser.log_in("wrong", "?next=/dashboard/do/pause%3Fpool%3Dgpu").get_data(as_text=True)

    assert 'action="/login?next=/dashboard/do/pause%3Fpool%3Dgpu"' in html


def test_why_an_expired_token_does_not_help_is_told(closed: Service, browser: Browser) -> None:
    token = closed.token("ann", Role.VIEWER, ttl=timedelta(hours=1))
    closed.clock.advance(3600)

    assert "expired at" in text_of(browser.log_in(token))


def test_who_guesses_has_to_wait(browser: Browser) -> None:
    answers = [browser.log_in("wrong") for _ in range(ALLOWED + 1)]

    assert [answer.status_code for answer in answers] == [401] * ALLOWED + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert browser.log_in(TOKEN).status_code == 429
    assert Browser(browser.service, address="192.0.2.9").log_in(TOKEN).status_code == 303


def test_without_the_database_the_login_says_so(closed: Service, browser: Browser) -> None:
    closed.session_store.away = True

    answer = browser.log_in(TOKEN)

    assert answer.status_code == 503
    assert answer.mimetype == "text/html"


def test_a_token_in_the_address_is_not_read(browser: Browser) -> None:
    """It would stand in the history, in logs, and in the Referer of what comes next."""
    assert browser.get(f"/login?token={TOKEN}").status_code == 200
    assert browser.post(f"/login?token={TOKEN}", {"token": ""}).status_code == 400


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"token": "x"}', "application/json"),
        (f"token={TOKEN}", "text/plain"),
        (f"token={TOKEN}", "multipart/form-data; boundary=x"),
        (f"token={TOKEN}&token=x", "application/x-www-form-urlencoded"),
        ("token=%ff", "application/x-www-form-urlencoded"),
        ("&".join(["a=1"] * 21), "application/x-www-form-urlencoded"),
        ("token=\xe4", "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_form_of_ours_is_refused(browser: Browser, body: str, kind: str) -> None:
    answer = browser.http.post(
        "/login", data=body.encode(), content_type=kind, headers=OURS, base_url="http://localhost:9092"
    )

    assert answer.status_code in {400, 415}
    assert not cookies_of(answer)


def test_who_is_logged_in_already_is_led_on(closed: Service) -> None:
    browser = logged_in(closed)

    assert leads_to(browser.get("/login?next=/dashboard/do/pause")) == "/dashboard/do/pause"


# Where it leads


ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/dashboard",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/dashboard\r\nSet-Cookie: a=b",
    "/dashboard\n",
    "/dashboard?\x00",
    "/dashboard?a\\b",
    "/dashboard?a b",
    "/dashboard/../destroy",
    "/dashboard/do/../../my-project",
    "/dashboard//evil.example",
    "/dashboard@evil.example",
    "/dashboard.evil.example",
    "/dashboard/logout",
    "/dashboard/live",
    "/login?next=/login",
    "/my-project",
    "dashboard",
    "/dashboard#x",
    "/dashb\u0131oard",
    "/dashboard?" + "x" * 5000,
    "",
]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_the_login_leads_to_pages_of_ours_alone(browser: Browser, elsewhere: str) -> None:
    answer = browser.http.post(
        "/login",
        query_string={"next": elsewhere},
        data={"token": TOKEN},
        headers=OURS,
        base_url="http://localhost:9092",
    )

    assert leads_to(answer) == "/dashboard"


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_so_does_a_login_that_is_not_needed(service: Service, elsewhere: str) -> None:
    answer = Browser(service).get("/login", query_string={"next": elsewhere})

    assert leads_to(answer) == "/dashboard"


def test_next_given_twice_is_refused(browser: Browser) -> None:
    assert browser.post("/login?next=/dashboard&next=//evil.example", {"token": TOKEN}).status_code == 400


@pytest.mark.parametrize("host", ["evil.example", "localhost:1", "evil.example/x", "a\\b"])
def test_what_a_request_calls_us_leads_nobody_there(closed: Service, host: str) -> None:
    browser = Browser(closed)

    answer = browser.get("/dashboard", headers={**TYPED, "Host": host, "X-Forwarded-Host": host})

    assert answer.status_code in {303, 400}
    assert host not in answer.headers.get("Location", "")


def test_our_own_paths_with_odd_queries_are_ours() -> None:
    for path in ("/dashboard", "/dashboard?q=%22%3E%3Cscript%3E&page=2", "/dashboard/do/hold?instance=i-1"):
        assert visitors.own_path(path) == path


# Logging out


def test_who_logs_out_is_out_everywhere_and_is_told(closed: Service) -> None:
    browser = logged_in(closed)
    cookie = browser.session

    answer = browser.post("/dashboard/logout")

    assert leads_to(answer) == "/login"
    assert "You are logged out" in text_of(browser.get("/login"))
    assert closed.sessions.identity(cookie) is None
    assert leads_to(browser.get("/dashboard")) == "/login"


def test_a_copy_of_the_cookie_is_worth_nothing_after_that(closed: Service) -> None:
    browser = logged_in(closed)
    thief = Browser(closed)
    name, value = next(iter(browser.cookies.items()))
    thief.http.set_cookie(name, value, domain="localhost")
    before = thief.get("/dashboard").status_code

    browser.post("/dashboard/logout")

    assert (before, leads_to(thief.get("/dashboard"))) == (200, "/login")


def test_logging_out_by_a_link_is_not_possible(closed: Service) -> None:
    browser = logged_in(closed)

    assert browser.get("/dashboard/logout").status_code == 405
    assert browser.get("/dashboard").status_code == 200


def test_without_the_database_the_browser_at_least_forgets_and_is_told_that_it_is_no_more(
    closed: Service,
) -> None:
    browser = logged_in(closed)
    closed.session_store.away = True

    answer = browser.post("/dashboard/logout")

    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "Logged out in this browser alone" in text_of(answer)
    assert "You are logged out" not in text_of(answer)
    assert not any("session" in name for name in browser.cookies)


def test_what_such_a_logout_left_behind_is_as_the_page_says(closed: Service) -> None:
    browser = logged_in(closed)
    cookie = browser.session
    closed.session_store.away = True
    browser.post("/dashboard/logout")
    closed.session_store.away = False

    assert leads_to(browser.get("/dashboard")) == "/login"
    assert "You are logged out" not in text_of(browser.get("/login"))
    assert closed.sessions.identity(cookie) is not None


def test_without_the_database_and_without_a_session_nothing_is_left_to_end(
    closed: Service, browser: Browser
) -> None:
    closed.session_store.away = True

    assert leads_to(browser.post("/dashboard/logout")) == "/login"


def test_without_a_session_logging_out_is_harmless(browser: Browser) -> None:
    assert leads_to(browser.post("/dashboard/logout")) == "/login"


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/live", "/dashboard/do/pause", "/login"])
def test_no_page_stays_in_a_cache_for_the_next_person(closed: Service, path: str) -> None:
    answers = [logged_in(closed).get(path), Browser(closed).get(path)]

    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store", "no-store"]
