"""What the dashboard tells besides what is shown: of other pools, of forms without a database, to the ear."""

from datetime import timedelta

import pytest

from app.domain.access import Role
from app.domain.controls import Change
from app.domain.model import DEFAULT_POOL, Group, PoolName, PoolView
from app.registry.transactions import Transactions
from app.web.dashboard import flash
from tests.builders import NOW
from tests.fakes import FakeTokens
from tests.unit.web.browsers import OURS, Browser, logged_in, text_of
from tests.unit.web.html_tree import Element, tree
from tests.unit.web.services import GPU, POOLS, TOKEN, Service


@pytest.fixture(autouse=True)
def looked_after(service: Service) -> None:
    """Both pools are full, and were just looked at."""
    service.leases.take("this one", timedelta(seconds=15))
    for name, pool in POOLS.items():
        for _ in range(pool.buffer):
            service.idle(pool=name)
        service.registry.record_view(
            PoolView(
                pool=name,
                group=Group(desired=5, min_size=0, max_size=20),
                limited_by=None,
                notices=(),
                last_pass_at=service.clock.now(),
                last_attempt_at=service.clock.now(),
            )
        )


def pause(service: Service, pool: PoolName) -> None:
    service.controls.change(pool, Change(paused=True), configured=5, expect=None, actor="token:ann", now=NOW)


def shown(service: Service, path: str = "/dashboard") -> Element:
    return tree(service.http.get(path).text)


def title(page: Element) -> str:
    return page.one("title").text.removesuffix(" - EC2 Orchestrator")


# Other pools


def test_a_pool_in_trouble_stands_first_in_the_title_of_the_others(service: Service) -> None:
    pause(service, GPU)

    assert title(shown(service)) == "gpu is paused; Healthy: 5 idle, 5 wanted"


def test_the_icon_is_that_of_the_pool_that_is_worst(service: Service) -> None:
    pause(service, GPU)

    icon = shown(service).one("link", rel="icon").attributes["href"]

    assert icon == "/dashboard/assets/icon-warn.svg"


def test_where_the_pool_that_is_shown_is_as_bad_it_stands_first(service: Service) -> None:
    pause(service, GPU)
    pause(service, DEFAULT_POOL)

    assert title(shown(service)) == "Paused by token:ann: 5 idle; gpu is paused"


def test_a_line_under_the_headline_leads_to_the_other(service: Service) -> None:
    pause(service, GPU)

    line = shown(service, "/dashboard?q=shop").one("p", class_="elsewhere")

    assert line.text == "Pool gpu is paused"
    assert line.one("a").attributes["href"] == "/dashboard?pool=gpu&q=shop"


def test_an_open_page_is_told_the_same(service: Service) -> None:
    pause(service, GPU)

    health = shown(service, "/dashboard/live").one(id="health").attributes

    assert health["data-title"] == "gpu is paused; Healthy: 5 idle, 5 wanted"
    assert (health["data-icon"], health["data-tone"]) == ("warn", "good")
    assert health["data-elsewhere"].split() == ["gpu", "paused"]


def test_while_all_are_well_there_is_no_such_line(service: Service) -> None:
    assert not shown(service).all("p", class_="elsewhere")


# Forms


@pytest.fixture
def confirming(transactions: Transactions) -> tuple[Browser, Element]:
    """Somebody confirms a pause, and the database has gone away; what is answered."""
    service = Service(transactions, tokens=FakeTokens())
    browser = logged_in(service, Role.ADMIN)
    question = browser.get("/dashboard/do/pause?pool=gpu")
    service.session_store.away = True
    answer = browser.answer_of(question)
    assert answer.status_code == 503
    return browser, tree(answer.get_data(as_text=True))


def test_a_form_that_met_no_database_is_not_said_to_have_failed(
    confirming: tuple[Browser, Element],
) -> None:
    _, answer = confirming

    assert "It is not known whether this was done." in answer.one(id="unknown").text


def test_its_page_asks_nothing_by_itself(confirming: tuple[Browser, Element]) -> None:
    _, answer = confirming

    assert not answer.all("script")
    assert not answer.all("meta", http_equiv="refresh")


def test_its_page_leads_on_by_links_alone(confirming: tuple[Browser, Element]) -> None:
    _, answer = confirming

    links = [one.attributes["href"] for one in answer.one(id="unknown").all("a")]

    assert links == ["/dashboard", "/dashboard/do/pause?pool=gpu"]
    assert not answer.one("main").all("form")


def test_a_login_that_met_no_database_is_not_sent_again(transactions: Transactions) -> None:
    service = Service(transactions, TOKEN)
    service.session_store.away = True

    answer = tree(Browser(service).log_in(TOKEN, "?next=/dashboard?pool=gpu").get_data(as_text=True))

    assert not answer.all("script")
    assert answer.one("main").one("a").attributes["href"] == "/login?next=/dashboard?pool=gpu"


def test_what_was_done_waits_for_the_page_that_is_shown(service: Service) -> None:
    """The script follows its form's answer first, and only then shows where it leads."""
    browser = Browser(service)
    browser.answer_of(browser.get("/dashboard/do/pause"))

    fetched = browser.get("/dashboard", headers={**OURS, flash.SHOWN: "later"})
    first, second = browser.get("/dashboard"), browser.get("/dashboard")

    assert "Pool default is paused" in text_of(fetched)
    assert "Pool default is paused" in text_of(first)
    assert "Pool default is paused" not in text_of(second)


# Who reads by ear, and who has no script


def test_each_row_is_named_by_its_instance(service: Service) -> None:
    rows = shown(service).one(id="instances").one("tbody").all("tr")

    assert [row.one("th", scope="row").text for row in rows] == [row.attributes["data-key"] for row in rows]


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/chart"])
def test_another_span_of_time_keeps_what_was_looked_for(service: Service, path: str) -> None:
    page = shown(service, f"{path}?pool=gpu&q=shop&state=idle&everywhere=on")

    links = [one.attributes["href"] for one in page.one(id="chart").one("nav").all("a")]

    assert links[1] == "/dashboard?pool=gpu&hours=6&state=idle&q=shop&everywhere=on#chart"
