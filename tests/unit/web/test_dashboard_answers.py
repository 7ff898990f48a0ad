"""How the dashboard is answered: where it is found, what guards it, and errors that a person can read."""

import pytest

from app.registry.transactions import Transactions
from app.web.dashboard import kept
from tests.unit.web.html_tree import tree
from tests.unit.web.services import TOKEN, Service

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PATHS = ["/dashboard", "/dashboard/live", "/dashboard/chart", "/dashboard/assets/style.css"]


@pytest.fixture
def without_database(service: Service) -> Service:
    service.history.away = service.presence.away = True
    return service


# The way there


def test_a_browser_is_led_from_the_root_to_the_dashboard(service: Service) -> None:
    answer = service.http.get("/", headers={"Accept": BROWSER})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/dashboard")


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html"])
def test_everybody_else_gets_a_signpost_at_the_root(service: Service, accept: str | None) -> None:
    answer = service.http.get("/", headers={} if accept is None else {"Accept": accept})

    assert answer.get_json()["service"] == "ec2-orchestrator"


@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
def test_a_cache_is_told_what_the_answer_at_the_root_depends_on(service: Service, accept: str) -> None:
    assert service.http.get("/", headers={"Accept": accept}).headers["Vary"] == "Accept"


# What guards it


@pytest.mark.parametrize("path", PATHS)
def test_a_page_may_do_nothing_but_its_own_work(service: Service, path: str) -> None:
    headers = service.http.get(path).headers

    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_what_is_shown_is_kept_by_no_cache(service: Service) -> None:
    assert service.http.get("/dashboard").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", sorted(kept.ASSETS))
def test_a_file_is_sent_again_only_when_it_has_changed(service: Service, name: str) -> None:
    first = service.http.get(f"/dashboard/assets/{name}")
    again = service.http.get(f"/dashboard/assets/{name}", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, again.status_code) == (200, 304)
    assert first.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["..%2fkept.py", "nothing.css", "__init__.py"])
def test_no_other_file_is_served(service: Service, name: str) -> None:
    assert service.http.get(f"/dashboard/assets/{name}").status_code == 404


# Errors


@pytest.mark.parametrize("path", ["/dashboard/nothing", "/dashboard/assets/nothing", "/login/nothing"])
def test_what_is_not_there_is_a_page(service: Service, path: str) -> None:
    answer = service.http.get(path)

    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert tree(answer.text).one("h1").text == "Not Found"
    assert answer.headers["Content-Security-Policy"] == kept.POLICY


def test_a_method_that_is_not_there_is_a_page_that_names_those_that_are(service: Service) -> None:
    answer = service.http.delete("/dashboard")

    assert (answer.status_code, answer.mimetype) == (405, "text/html")
    assert "GET" in answer.headers["Allow"]


def test_an_unknown_pool_is_a_page_that_leads_back(service: Service) -> None:
    answer = service.http.get("/dashboard?pool=nowhere")

    assert answer.status_code == 404
    assert "There is no pool 'nowhere'. There are: default, gpu." in answer.text.replace("&#39;", "'")
    assert "/dashboard" in [link.attributes["href"] for link in tree(answer.text).one("main").all("a")]


def test_the_words_of_an_error_are_text_and_never_markup(service: Service) -> None:
    assert "<b>" not in service.http.get("/dashboard?state=%3Cb%3E").text.partition("<main")[2]


@pytest.mark.parametrize("path", ["/dashboardx", "/v1/nothing", "/status/x"])
def test_elsewhere_an_error_is_a_problem_as_ever(service: Service, path: str) -> None:
    assert service.http.get(path).mimetype == "application/problem+json"


def test_what_a_script_asks_for_is_answered_with_a_problem(transactions: Transactions) -> None:
    guarded = Service(transactions, TOKEN)

    for path in ("/dashboard/live", "/dashboard/chart"):
        answer = guarded.http.get(path)
        assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")


def test_a_bug_is_a_page_that_tells_nothing_of_it(service: Service) -> None:
    service.history.since = lambda *_, **__: 1 / 0  # type: ignore[method-assign,assignment]

    answer = service.http.get("/dashboard")

    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "ZeroDivisionError" not in answer.text


# The database away


def test_while_the_database_is_away_the_page_says_what_goes_on(without_database: Service) -> None:
    answer = without_database.http.get("/dashboard")
    shown = tree(answer.text)

    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert int(answer.headers["Retry-After"]) > 0
    assert shown.one("h1").text == "The database does not answer"
    assert "go on as they are" in shown.one(id="away").text


def test_the_page_tries_again_where_it_was_asked_for(without_database: Service) -> None:
    shown = tree(without_database.http.get("/dashboard?pool=gpu&q=a").text)

    assert shown.one("a", class_="button").attributes["href"] == "/dashboard?pool=gpu&q=a"
    assert shown.one("noscript").one("meta").attributes["http-equiv"] == "refresh"


def test_an_open_page_is_told_by_the_status(without_database: Service) -> None:
    answer = without_database.http.get("/dashboard/live")

    assert (answer.status_code, answer.get_json()["code"]) == (503, "registry-unavailable")
