"""The lists of the dashboard: filtered, searched, a page at a time."""

import pytest

from app.domain.model import DEFAULT_POOL, InstanceId, ProjectId
from app.web.dashboard.overview import ALLOCATIONS, INSTANCES
from app.web.dashboard.queries import OverviewQuery
from tests.builders import NOW
from tests.unit.web.html_tree import Element, tree
from tests.unit.web.services import GPU, Service


def listed(service: Service, query: str = "", section: str = "instances") -> list[list[str]]:
    return shown(service, query, section).rows()


def shown(service: Service, query: str = "", section: str = "instances") -> Element:
    return tree(service.http.get(f"/dashboard{query}").text).one(id=section)


@pytest.fixture
def mixed(service: Service) -> dict[str, InstanceId]:
    """One instance of each kind."""
    service.registry.hold(held := service.idle("10.0.0.9"), reason="odd", actor="ann", now=NOW)
    ending = service.idle()
    service.registry.destroy(ending, actor="ann", now=NOW)
    used = service.held_by("shop")
    return {
        "held": held,
        "terminating": ending,
        "allocated": used,
        "idle": service.idle("10.0.0.7"),
        "booting": service.booting(),
    }


@pytest.mark.parametrize("state", ["held", "terminating", "allocated", "idle", "booting"])
def test_a_state_is_listed_alone(service: Service, mixed: dict[str, InstanceId], state: str) -> None:
    assert [row[2] for row in listed(service, f"?state={state}")] == [mixed[state]]


def test_without_a_filter_all_are_listed(service: Service, mixed: dict[str, InstanceId]) -> None:
    assert {row[2] for row in listed(service)} == set(mixed.values())


def test_a_row_tells_state_project_address_zone_and_what_happened_last(service: Service) -> None:
    used = service.held_by("shop")

    ((state, project, instance, address, age, zone, last, *_),) = listed(service)

    assert (state, project, instance, zone) == ("in use", "shop", used, "eu-west-1a")
    assert address.startswith("54.123.45.67")
    assert (age, last) == ("2026-11-22 12:00:00 UTC", "allocated 2026-11-22 12:00:00 UTC")


def test_the_address_leads_to_the_editor(service: Service) -> None:
    service.idle()
    link = shown(service).one("td", class_="address").one("a")

    assert link.attributes["href"] == "http://54.123.45.67:8080"
    assert link.attributes["rel"] == "noopener noreferrer"


def test_the_address_of_one_that_ends_leads_nowhere(service: Service) -> None:
    service.registry.destroy(service.idle(), actor="ann", now=NOW)

    assert not shown(service).one("td", class_="address").all("a")


def test_a_hold_is_told_with_who_and_why(service: Service, mixed: dict[str, InstanceId]) -> None:
    ((state, *_, last, _),) = listed(service, "?state=held")

    assert state == "held"
    assert last == "held by ann since 2026-11-22 12:00:00 UTC: odd"


def test_words_are_looked_for_in_instances_and_allocations(
    service: Service, mixed: dict[str, InstanceId]
) -> None:
    assert [row[2] for row in listed(service, "?q=SHOP")] == [mixed["allocated"]]
    assert [row[0] for row in listed(service, "?q=SHOP", "allocations")] == ["shop"]


def test_where_nothing_is_found_that_is_said_and_a_way_out_is_shown(service: Service) -> None:
    service.idle()
    nothing = shown(service, "?q=blog&state=allocated&pool=default").one("p", class_="nothing")

    assert nothing.text.startswith("No instance is in use and has “blog” in its project")
    assert nothing.one("a").attributes["href"] == "/dashboard?pool=default"


def test_a_pool_without_instances_says_what_comes(service: Service) -> None:
    assert "There are no instances yet." in shown(service).text
    assert "GET /my-project" in shown(service, section="allocations").text


def test_the_form_keeps_what_was_asked(service: Service) -> None:
    form = shown(service, "?q=a%22b&state=idle&hours=6&pool=default").one("form")

    assert form.one("input", name="q").attributes["value"] == 'a"b'
    assert [one.text for one in form.all("option") if "selected" in one.attributes] == ["Idle"]
    assert form.one("input", name="hours").attributes["value"] == "6"
    assert form.one("input", name="pool").attributes["value"] == "default"


def test_a_form_that_was_left_empty_asks_for_all(service: Service, mixed: dict[str, InstanceId]) -> None:
    assert len(listed(service, "?q=&state=")) == len(mixed)


def test_other_pools_are_looked_through_when_asked(service: Service) -> None:
    here, there = service.idle(), service.idle(pool=GPU)

    assert [row[2] for row in listed(service)] == [here]
    everywhere = listed(service, "?everywhere=on")
    assert {(row[2], row[3]) for row in everywhere} == {(here, "default"), (there, "gpu")}


def test_many_are_shown_a_page_at_a_time(service: Service) -> None:
    ids = sorted(service.booting() for _ in range(INSTANCES + 2))
    first, second = shown(service, "?state=booting"), shown(service, "?state=booting&page=2")

    assert [row[2] for row in (*first.rows(), *second.rows())] == ids
    on, back = first.one("nav").one("a"), second.one("nav").one("a")
    assert (on.text, on.attributes["href"]) == ("Older", "/dashboard?state=booting&page=2")
    assert (back.text, back.attributes["href"]) == ("Newer", "/dashboard?state=booting")
    assert "51 to 52 of 52" in second.text


def test_a_page_beyond_the_end_is_the_last_one(service: Service) -> None:
    ids = sorted(service.booting() for _ in range(INSTANCES + 1))

    assert [row[2] for row in listed(service, "?page=77")] == ids[-1:]


def test_allocations_have_pages_of_their_own(service: Service) -> None:
    for number in range(ALLOCATIONS + 1):
        service.idle()
        service.registry.claim(DEFAULT_POOL, ProjectId(f"p{number:02}"), actor="ann", now=NOW)

    assert len(listed(service, "?allocations_page=1", "allocations")) == ALLOCATIONS
    assert [row[0] for row in listed(service, "?allocations_page=2", "allocations")] == ["p20"]


@pytest.mark.parametrize(
    "query", ["?state=asleep", "?page=0", "?page=x", "?hours=2", "?pool=NO", f"?q={'x' * 101}"]
)
def test_what_cannot_be_asked_is_refused(service: Service, query: str) -> None:
    answer = service.http.get(f"/dashboard{query}")

    assert answer.status_code == 400
    assert "The query is not valid" in answer.text


def test_a_link_changes_what_it_names_and_keeps_the_rest() -> None:
    asked = OverviewQuery.model_validate({"q": "shop & co", "page": "3", "hours": "6"})

    assert asked.link(page=4) == "/dashboard?hours=6&q=shop+%26+co&page=4"
    assert asked.link(page=1, q="", hours=1) == "/dashboard"
