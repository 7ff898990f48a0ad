"""The dashboard: what stands on the page, in each state of a pool."""

from datetime import timedelta

import pytest

from app.domain.controls import Change
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, Group, Limit, Notice, PoolName, PoolView, ProjectId
from app.domain.replicas import GONE, Replica
from app.domain.terms import Terms
from app.domain.verdict import Condition
from app.web.dashboard import words
from tests.builders import NOW, a_look
from tests.unit.web.html_tree import Element, tree
from tests.unit.web.services import GPU, Service

SECTIONS = {"health", "warnings", "chart", "instances", "allocations", "events", "replicas"}


@pytest.fixture(autouse=True)
def led(service: Service) -> None:
    service.leases.take("this one", timedelta(seconds=15))


def page(service: Service, query: str = "") -> Element:
    answer = service.http.get(f"/dashboard{query}")
    assert answer.status_code == 200
    return tree(answer.text)


def passed(service: Service, *notices: Notice, limited_by: Limit | None = None) -> None:
    """Have a pass look at AWS."""
    service.registry.record_view(
        PoolView(
            pool=DEFAULT_POOL,
            group=Group(desired=8, min_size=0, max_size=1200),
            limited_by=limited_by,
            notices=notices,
            last_pass_at=service.clock.now(),
            last_attempt_at=service.clock.now(),
        )
    )


def figures(shown: Element) -> dict[str, str]:
    """Return the figures of a pool by their names."""
    boxes = shown.one("dl", class_="figures").all("div")
    return {box.one("dt").text: box.one("dd").text for box in boxes}


# The page


def test_every_section_is_there_and_has_a_heading(service: Service) -> None:
    shown = page(service)

    for name in SECTIONS:
        section = shown.one("section", id=name)
        heading = section.attributes["aria-labelledby"]
        assert section.one(id=heading).tag in {"h1", "h2"}


def test_there_is_one_first_heading_and_it_is_the_judgement(service: Service) -> None:
    assert page(service).one("h1").text == "Starting: the first instances are asked for"


def test_ids_are_given_once(service: Service) -> None:
    service.held_by("shop")
    ids = [one.attributes["id"] for one in page(service).all() if "id" in one.attributes]

    assert len(ids) == len(set(ids))


def test_the_page_loads_nothing_but_our_own_files(service: Service) -> None:
    shown = page(service)
    files = [one.attributes["href"] for one in shown.all("link")]
    files += [one.attributes["src"] for one in shown.all("script")]

    assert all(service.http.get(file).status_code == 200 for file in files)
    assert all(file.startswith("/dashboard/assets/") for file in files)


def test_nothing_is_written_that_the_policy_forbids(service: Service) -> None:
    service.held_by("shop")
    shown = page(service)

    assert not shown.all("style")
    assert all(not script.text for script in shown.all("script"))
    assert not [one for one in shown.all() for name in one.attributes if name == "style" or name[:2] == "on"]


def test_every_table_has_a_caption_and_scopes(service: Service) -> None:
    service.held_by("shop")
    tables = page(service).all("table")

    assert len(tables) == 2
    for table in tables:
        assert table.one("caption").text
        assert all(cell.attributes["scope"] in {"col", "row"} for cell in table.all("th"))


def test_the_figures_are_those_of_the_pool(service: Service) -> None:
    for _ in range(2):
        service.idle()
    service.booting()
    service.held_by("shop")
    passed(service)

    assert figures(page(service)) == {
        "Idle": "2 of 5 wanted",
        "Waiting": "0 projects",
        "In use": "1",
        "Booting": "1",
        "Ending": "0",
        "Held": "0",
        "Desired": "8 0 to 1,200",
    }


def test_figures_that_aws_did_not_tell_are_said_to_be_unknown(service: Service) -> None:
    assert figures(page(service))["Desired"] == "? limits unknown"


# States


def test_a_pool_is_judged_for_people_and_for_programs(service: Service) -> None:
    for _ in range(5):
        service.idle()
    passed(service)
    shown = page(service)

    health = shown.one(id="health")
    assert (health.attributes["data-verdict"], health.attributes["data-tone"]) == ("healthy", "good")
    assert shown.one("title").text == "Healthy: 5 idle, 5 wanted - EC2 Orchestrator"
    assert shown.one("link", rel="icon").attributes["href"] == "/dashboard/assets/icon-good.svg"


def test_who_waits_is_counted(service: Service) -> None:
    service.held_by("shop")
    passed(service)
    service.http.get("/blog")

    shown = page(service)

    assert shown.one(id="health").attributes["data-verdict"] == Condition.EXHAUSTED
    assert figures(shown)["Waiting"] == "1 project"


def test_a_pause_is_told_with_its_moment(service: Service) -> None:
    service.idle()
    passed(service)
    service.controls.change(
        DEFAULT_POOL, Change(paused=True), configured=5, expect=None, actor="token:ann", now=NOW
    )

    health = page(service).one(id="health")

    assert health.attributes["data-verdict"] == Condition.PAUSED
    assert "Paused since 2026-11-22 12:00:00 UTC" in health.text


def test_without_passes_the_pool_is_said_to_be_unseen(service: Service) -> None:
    service.idle()
    passed(service)
    service.clock.advance(timedelta(minutes=2))

    assert page(service).one(id="health").attributes["data-verdict"] == Condition.BLIND


def test_a_warning_says_what_it_means_and_what_mends_it(service: Service) -> None:
    passed(service, Notice(code="launch-quota", detail="You have <b>requested</b> more vCPU capacity"))

    (warning,) = page(service).one(id="warnings").all("li")

    assert "launch-quota You have <b>requested</b> more vCPU capacity" in warning.text
    assert "To mend: ask AWS for a higher quota" in warning.text
    assert "an AWS quota of the account is used up" in warning.one("details").text


def test_a_warning_that_only_a_newer_version_knows_is_told_as_it_is(service: Service) -> None:
    passed(service, Notice(code="moon-phase", detail="It is full"))

    (warning,) = page(service).one(id="warnings").all("li")

    assert warning.text == "moon-phase It is full"


def test_without_warnings_their_section_is_hidden(service: Service) -> None:
    passed(service)

    assert "hidden" in page(service).one(id="warnings").attributes


# Pools


def test_each_pool_has_a_tab_with_its_state(service: Service) -> None:
    service.idle(pool=GPU)
    tabs = page(service, "?pool=gpu").one(id="pools").all("a")

    assert [tab.attributes["href"] for tab in tabs] == ["/dashboard?pool=default", "/dashboard?pool=gpu"]
    assert [tab.attributes.get("aria-current") for tab in tabs] == [None, "page"]
    assert tabs[1].text == "gpu filling 1/5 idle"


def test_the_pool_that_is_asked_for_is_shown(service: Service) -> None:
    there = service.idle(pool=GPU)
    service.idle()

    shown = page(service, "?pool=gpu")

    assert [row[2] for row in shown.one(id="instances").rows()] == [there]
    assert "gpu-asg" in shown.one(id="health").text


# Events and replicas


def test_events_are_told_in_words(service: Service) -> None:
    service.held_by("shop")

    newest = page(service).one(id="events").all("li")[0]

    assert newest.text.startswith("Allocated shop i-")
    assert newest.text.endswith("by tester, pool default")


def test_every_kind_of_event_has_words() -> None:
    assert words.EVENTS.keys() == set(EventKind)


def test_replicas_that_were_seen_lately_are_listed(service: Service) -> None:
    for name in ("two:2:b", "one:1:a"):
        service.clock.advance(GONE + timedelta(seconds=1))
        service.presence.note(Replica(name=name, version="1.2", started_at=NOW, serves=True, polls=False))

    (only,) = page(service).one(id="replicas").all("li")

    assert only.text.startswith("one:1:a Serves, version 1.2, up since 2026-11-22")


def test_the_leader_is_marked_among_the_replicas(service: Service) -> None:
    service.presence.note(Replica(name="this one", version="1.2", started_at=NOW, serves=True, polls=True))

    (only,) = page(service).one(id="replicas").all("li")

    assert only.text.startswith("this one answers you leads Leads since ")


def test_where_nobody_leads_that_is_said(service: Service) -> None:
    lease = service.leases.leader()
    assert lease is not None
    service.leases.resign(lease)

    assert "Nobody leads." in page(service).one(id="replicas").text


# What is kept up to date


def test_the_live_part_has_the_sections_of_the_page_but_for_the_chart(service: Service) -> None:
    service.held_by("shop")
    live = tree(service.http.get("/dashboard/live").text)

    assert {one.attributes["id"] for one in live.all("section")} == SECTIONS - {"chart"}
    assert live.one(id="instances").rows() == page(service).one(id="instances").rows()


def test_the_live_part_of_a_pool_at_rest_stays_the_same_to_the_byte(service: Service) -> None:
    service.held_by("shop")
    passed(service)
    first = service.http.get("/dashboard/live")
    service.clock.advance(timedelta(seconds=2))

    again = service.http.get("/dashboard/live", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")


def test_the_live_part_changes_with_the_pool(service: Service) -> None:
    first = service.http.get("/dashboard/live")
    service.held_by("shop")

    again = service.http.get("/dashboard/live", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 200


def test_a_name_is_text_and_never_markup(service: Service) -> None:
    service.registry.discover(DEFAULT_POOL, look := a_look(zone="<img src=x>"), now=NOW)
    service.registry.hold(look.id, reason="<script>1</script>", actor="<b>", now=NOW)

    answer = service.http.get("/dashboard?q=%3Cimg").text

    assert "<img" not in answer
    assert "<script>1" not in answer
    assert "&lt;script&gt;1" in answer


def test_the_registry_is_asked_for_the_pool_that_is_there(service: Service) -> None:
    answer = service.http.get("/dashboard/live?pool=nowhere")

    assert (answer.status_code, answer.get_json()["code"]) == (404, "pool-not-found")


def test_an_allocation_is_listed_with_its_end(service: Service) -> None:
    service.idle()
    service.registry.claim(
        DEFAULT_POOL, ProjectId("shop"), actor="ann", now=NOW, terms=Terms(ttl=timedelta(hours=1))
    )

    (row,) = page(service).one(id="allocations").rows()

    assert row[0] == "shop"
    assert row[2] == PoolName("default")
    assert row[5] == "2026-11-22 13:00:00 UTC"
