"""How long a project keeps its instance, as the dashboard tells it and has it changed."""

from datetime import datetime, timedelta

import pytest

from app.domain.access import Role
from app.domain.model import DEFAULT_POOL, InstanceState, ProjectId
from app.domain.terms import Terms
from app.registry.transactions import Transactions
from tests.builders import NOW
from tests.fakes import FakeTokens
from tests.unit.web.browsers import Browser, leads_to, logged_in, text_of
from tests.unit.web.services import Service

ALICE = ProjectId("alice")
RENEW = "/dashboard/do/renew?project=alice"


@pytest.fixture
def browser(service: Service) -> Browser:
    return Browser(service)


def end_of(service: Service) -> datetime | None:
    (held,) = service.registry.instances(DEFAULT_POOL, {InstanceState.ALLOCATED}).values()
    return held.expires_at


def test_an_allocation_lasts_as_long_as_is_chosen(service: Service, browser: Browser) -> None:
    instance = service.held_by("alice")

    leads_to(browser.answer_of(browser.get(RENEW), ttl="3600"))

    assert end_of(service) == NOW + timedelta(hours=1)
    assert f"alice keeps {instance}" in text_of(browser.get("/dashboard"))


def test_its_time_limit_can_be_taken_away(service: Service, browser: Browser) -> None:
    service.held_by("alice")
    browser.answer_of(browser.get(RENEW), ttl="3600")

    leads_to(browser.answer_of(browser.get(RENEW), ttl=""))

    assert end_of(service) is None


@pytest.mark.parametrize(
    ("limit", "chosen"), [(timedelta(hours=2), "1 hour"), (None, "no time limit")], ids=["limited", "not"]
)
def test_a_quick_click_neither_makes_nor_takes_away_a_time_limit(
    service: Service, browser: Browser, limit: timedelta | None, chosen: str
) -> None:
    service.idle()
    service.registry.claim(DEFAULT_POOL, ALICE, actor="alice", now=NOW, terms=Terms(ttl=limit))

    page = browser.get(RENEW).get_data(as_text=True)

    selected = [option for option in page.split("<option ")[1:] if " selected" in option]
    assert [chosen in option for option in selected] == [True]


def test_no_more_than_the_pool_allows_can_be_chosen(transactions: Transactions) -> None:
    service = Service(transactions, max_ttl=7200)
    service.held_by("alice")

    page = Browser(service).get(RENEW).get_data(as_text=True)

    assert '<option value="3600">1 hour</option>' in page
    assert '<option value="7200">7200 seconds</option>' in page
    assert "no time limit" not in page
    assert "4 hours" not in page


def test_what_the_pool_does_not_allow_is_told_and_changes_nothing(transactions: Transactions) -> None:
    service = Service(transactions, max_ttl=7200)
    service.held_by("alice")
    browser = Browser(service)

    answer = browser.answer_of(browser.get(RENEW), ttl="14400")

    assert answer.status_code == 400
    assert "This pool allows 7200 seconds at most" in text_of(answer)
    assert end_of(service) is None


def test_what_is_usual_in_a_pool_is_told_to_who_allocates(transactions: Transactions) -> None:
    service = Service(transactions, default_ttl=28800)

    assert "as usual here: 8 hours" in text_of(Browser(service).get("/dashboard/do/allocate?pool=default"))


def test_another_instance_than_was_shown_is_not_renewed(service: Service, browser: Browser) -> None:
    service.held_by("alice")
    page = browser.get(RENEW)
    service.registry.release(ALICE, actor="another", now=NOW)
    service.held_by("alice")

    answer = browser.answer_of(page, ttl="3600")

    assert answer.status_code == 412
    assert end_of(service) is None


def test_a_project_without_an_instance_has_nothing_to_renew(browser: Browser) -> None:
    assert browser.get(RENEW).status_code == 404


def test_who_may_only_look_may_not_renew(transactions: Transactions) -> None:
    service = Service(transactions, tokens=FakeTokens())
    service.held_by("alice")

    assert logged_in(service, Role.VIEWER).get(RENEW).status_code == 403


def test_what_must_be_confirmed_says_until_when(service: Service, browser: Browser) -> None:
    service.idle()
    terms = Terms(confirm_within=timedelta(minutes=1))
    service.registry.claim(DEFAULT_POOL, ALICE, actor="alice", now=NOW, terms=terms)

    assert "unless confirmed: 2026-11-22 12:01:00 UTC" in text_of(browser.get("/dashboard"))
    assert "To be confirmed 2026-11-22 12:01:00 UTC" in text_of(browser.get(RENEW))
    assert "That confirms it, too." in text_of(browser.get(RENEW))
