"""What pages of others can do with ours: lead to them, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.access import Role
from app.domain.model import DEFAULT_POOL
from app.registry.transactions import Transactions
from tests.fakes import FakeTokens
from tests.unit.web.browsers import HTTPS, Browser, logged_in
from tests.unit.web.services import TOKEN, Service


@pytest.fixture
def closed(transactions: Transactions) -> Service:
    return Service(transactions, TOKEN, tokens=FakeTokens())


@pytest.fixture
def browser(closed: Service) -> Browser:
    return Browser(closed)


# Where forms come from

SENT: list[tuple[dict[str, str], bool]] = [
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:9092"}, True),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
    ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:9092"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:9092"}, False),
    ({"Sec-Fetch-Site": "none"}, False),
    ({"Sec-Fetch-Site": ""}, False),
    ({"Sec-Fetch-Site": "Same-Origin"}, False),
    ({"Sec-Fetch-Site": "same-origin, cross-site"}, False),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    # Browsers before 2023, and all of them where the page came over HTTP and not from this machine
    ({"Origin": "http://localhost:9092"}, True),
    ({"Origin": "HTTP://LOCALHOST:9092"}, True),
    ({"Origin": "https://localhost:9092"}, True),
    ({"Origin": "http://localhost:3000"}, False),
    ({"Origin": "http://localhost"}, False),
    ({"Origin": "http://evil.example"}, False),
    ({"Origin": "http://localhost:9092.evil.example"}, False),
    ({"Origin": "http://evil.example/localhost:9092"}, False),
    ({"Origin": "http://localhost:9092@evil.example"}, False),
    ({"Origin": "http://localhost:9092/"}, False),
    ({"Origin": "http://localhost:9092 http://evil.example"}, False),
    ({"Origin": "ftp://localhost:9092"}, False),
    ({"Origin": "//localhost:9092"}, False),
    ({"Origin": "localhost:9092"}, False),
    ({"Origin": "http://[::1"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": ""}, False),
    ({"Referer": "http://localhost:9092/dashboard"}, False),
    ({"Authorization": f"Bearer {TOKEN}"}, False),
    ({}, False),
]

PAUSE = ("/dashboard/do/pause?pool=default", {"version": "0"})
FORMS = [PAUSE, ("/dashboard/logout", {}), ("/login", {"token": TOKEN})]


@pytest.mark.parametrize(("headers", "ours"), SENT)
def test_forms_of_our_own_pages_are_read_and_no_others(
    closed: Service, headers: dict[str, str], *, ours: bool
) -> None:
    browser = logged_in(closed)

    answers = [browser.post(path, data, headers=headers) for path, data in FORMS]

    assert [answer.status_code for answer in answers] == [303 if ours else 403] * len(FORMS)
    assert closed.controls.controls(DEFAULT_POOL).paused == ours


@pytest.mark.parametrize(("headers", "ours"), [SENT[0], SENT[5], SENT[11], SENT[14], SENT[-1]])
def test_so_they_are_where_no_login_is_needed(
    service: Service, headers: dict[str, str], *, ours: bool
) -> None:
    answer = Browser(service).post(*PAUSE, headers=headers)

    assert answer.status_code == (303 if ours else 403)
    assert service.controls.controls(DEFAULT_POOL).paused == ours


@pytest.mark.parametrize(
    ("base_url", "host", "origin"),
    [
        (HTTPS, "pool.example.com", HTTPS),
        (HTTPS, "pool.example.com:443", HTTPS),
        ("http://pool.example.com", "pool.example.com", HTTPS),  # a proxy that does not say so
        ("http://[::1]:9092", "[::1]:9092", "http://[::1]:9092"),
    ],
)
def test_our_own_origin_is_known_under_each_name(
    closed: Service, base_url: str, host: str, origin: str
) -> None:
    browser = Browser(closed, base_url=base_url)

    assert (
        browser.post("/login", {"token": TOKEN}, headers={"Origin": origin, "Host": host}).status_code == 303
    )


def test_behind_a_proxy_our_name_is_the_one_that_it_tells(transactions: Transactions) -> None:
    service = Service(transactions, TOKEN, proxy_hops=1)
    told = {"X-Forwarded-Host": "pool.example.com", "X-Forwarded-Proto": "https"}

    def log_in(origin: str) -> Any:
        return Browser(service).post("/login", {"token": TOKEN}, headers={**told, "Origin": origin})

    assert log_in(HTTPS).status_code == 303
    assert "; Secure" in log_in(HTTPS).headers["Set-Cookie"]
    assert log_in("http://localhost:9092").status_code == 403


# What is told to whom


@pytest.mark.parametrize(
    "ask",
    [
        lambda browser: browser.get("/login"),
        lambda browser: browser.get("/dashboard"),
        lambda browser: browser.get("/dashboard/do/pause"),
        lambda browser: browser.get("/dashboard/do/release?project=nobody"),
        lambda browser: browser.log_in("wrong"),
        lambda browser: browser.post("/login", headers={}),
    ],
)
def test_no_page_can_be_framed_or_made_to_run_what_is_not_ours(
    closed: Service, ask: Callable[[Browser], Any]
) -> None:
    for browser in (logged_in(closed), Browser(closed)):
        answer = ask(browser)
        if answer.status_code == 303:
            continue
        policy = answer.headers["Content-Security-Policy"]
        for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert rule in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_pages_tell_other_sites_nothing_and_our_own_where_a_form_comes_from(closed: Service) -> None:
    """With no-referrer, older browsers call the origin of a form "null", and none would get through."""
    assert Browser(closed).get("/login").headers["Referrer-Policy"] == "same-origin"


def test_neither_the_token_nor_the_cookie_stands_in_a_log_line(
    closed: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    token = closed.token("ann", Role.ADMIN)
    browser = Browser(closed)
    browser.log_in(token[:-1] + "x")
    browser.log_in(token)
    browser.get("/dashboard")
    browser.get(f"/login?token={token}")
    browser.post("/dashboard/logout", headers={})
    cookie = browser.session

    told = "".join(capsys.readouterr())
    assert "session.opened" in told
    for secret in (token[13:30], cookie):
        assert secret not in told
