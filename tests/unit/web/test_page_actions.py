"""What a person may do from the dashboard with instances: told first what will be lost, then done."""

from datetime import timedelta

import pytest

from app.domain.access import Role
from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, ProjectId
from app.registry.transactions import Transactions
from tests.builders import NOW
from tests.fakes import FakeTokens
from tests.unit.web.browsers import Browser, leads_to, logged_in, text_of
from tests.unit.web.services import GPU, Service

ALICE = ProjectId("alice")


@pytest.fixture
def browser(service: Service) -> Browser:
    return Browser(service)


def state_of(service: Service, instance: InstanceId) -> InstanceState:
    return service.registry.instances(DEFAULT_POOL)[instance].state


def events(service: Service) -> int:
    return len(list(service.registry.events(limit=1000)))


# Release


def test_before_a_release_one_is_told_what_will_be_lost(service: Service, browser: Browser) -> None:
    instance = service.held_by("alice")

    told = text_of(browser.get("/dashboard/do/release?project=alice"))

    assert "Release alice?" in told
    assert f"{instance} will be terminated. What is on it and nowhere else is lost." in told
    assert "http://54.123.45.67:8080" in told
    assert "Allocated 2026-11-22 12:00:00 UTC" in told
    assert "0 idle stay in pool default, which keeps 5 ready" in told
    assert state_of(service, instance) is InstanceState.ALLOCATED


def test_a_release_is_done_when_it_is_confirmed(service: Service, browser: Browser) -> None:
    instance = service.held_by("alice")

    answer = browser.answer_of(browser.get("/dashboard/do/release?project=alice"))

    assert leads_to(answer) == "/dashboard"
    assert state_of(service, instance) is InstanceState.TERMINATING
    assert f"alice has given back {instance}" in text_of(browser.get("/dashboard"))


def test_the_trail_tells_whose_token_it_was(transactions: Transactions) -> None:
    service = Service(transactions, tokens=FakeTokens())
    service.held_by("alice")
    browser = logged_in(service, Role.ALLOCATOR)

    browser.answer_of(browser.get("/dashboard/do/release?project=alice"))

    assert next(iter(service.registry.events(limit=1))).actor == "token:ann-allocator"


def test_a_project_that_has_another_instance_by_now_keeps_it(service: Service, browser: Browser) -> None:
    service.held_by("alice")
    page = browser.get("/dashboard/do/release?project=alice")
    service.registry.release(ALICE, actor="another", now=NOW)
    now = service.held_by("alice")

    answer = browser.answer_of(page)

    assert answer.status_code == 412
    assert state_of(service, now) is InstanceState.ALLOCATED
    assert "Somebody else changed it first" in text_of(answer)
    assert f"{now} will be terminated" in text_of(answer)


def test_what_is_shown_anew_can_be_confirmed_anew(service: Service, browser: Browser) -> None:
    service.held_by("alice")
    page = browser.get("/dashboard/do/release?project=alice")
    service.registry.release(ALICE, actor="another", now=NOW)
    now = service.held_by("alice")

    leads_to(browser.answer_of(browser.answer_of(page)))

    assert state_of(service, now) is InstanceState.TERMINATING


@pytest.mark.parametrize("sent", [{}, {"shown": ""}, {"shown": "i-00000000000000001"}])
def test_who_was_shown_nothing_ends_nothing(service: Service, browser: Browser, sent: dict[str, str]) -> None:
    instance = service.held_by("alice")

    for path in (f"/dashboard/do/destroy?instance={instance}", "/dashboard/do/release?project=alice"):
        assert browser.post(path, {"back": "/dashboard", **sent}).status_code == 412
    assert state_of(service, instance) is InstanceState.ALLOCATED


def test_somebody_elses_hold_is_told_before_and_waited_for(service: Service, browser: Browser) -> None:
    instance = service.held_by("alice")
    service.registry.hold(instance, reason="look", actor="token:bob", now=NOW)
    page = browser.get("/dashboard/do/release?project=alice")

    assert "token:bob holds it for inspection: it is terminated when that hold ends." in text_of(page)
    browser.answer_of(page)
    assert "It is held, and terminated when the hold ends." in text_of(browser.get("/dashboard"))


def test_a_project_without_an_instance_is_told_on_a_page_that_leads_back(browser: Browser) -> None:
    answer = browser.get("/dashboard/do/release?project=alice")

    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "'alice' holds no instance." in text_of(answer)
    assert 'href="/dashboard"' in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "query", ["", "project=", "project=..", "project=a/b", "project=<b>", "project=a&project=b", "instance=x"]
)
def test_what_is_no_project_is_refused(browser: Browser, query: str) -> None:
    answer = browser.get(f"/dashboard/do/release?{query}")

    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "<b>" not in answer.get_data(as_text=True)


# Terminate


def test_an_idle_instance_is_terminated_when_it_is_confirmed(service: Service, browser: Browser) -> None:
    service.idle()
    instance = service.idle()
    page = browser.get(f"/dashboard/do/destroy?instance={instance}")

    assert "No project has it. 1 of 2 idle stay in pool default, which keeps 5 ready." in text_of(page)
    leads_to(browser.answer_of(page))
    assert state_of(service, instance) is InstanceState.TERMINATING
    assert f"{instance} is being terminated." in text_of(browser.get("/dashboard"))


def test_who_has_it_is_named_before_it_is_terminated(service: Service, browser: Browser) -> None:
    instance = service.held_by("alice")

    told = text_of(browser.get(f"/dashboard/do/destroy?instance={instance}"))

    assert f"alice loses {instance}" in told


def test_what_a_project_has_taken_meanwhile_is_not_terminated(service: Service, browser: Browser) -> None:
    instance = service.idle()
    page = browser.get(f"/dashboard/do/destroy?instance={instance}")
    service.registry.claim(DEFAULT_POOL, ALICE, actor="alice", now=NOW)

    answer = browser.answer_of(page)

    assert answer.status_code == 412
    assert f"{instance} is allocated to alice now" in text_of(answer)
    assert state_of(service, instance) is InstanceState.ALLOCATED


def test_what_is_ending_already_is_told_and_there_is_nothing_to_confirm(
    service: Service, browser: Browser
) -> None:
    instance = service.idle()
    service.registry.destroy(instance, actor="another", now=NOW)

    answer = browser.get(f"/dashboard/do/destroy?instance={instance}")

    assert "is being terminated already" in text_of(answer)
    assert "Terminate the instance" not in text_of(answer)


@pytest.mark.parametrize(
    ("instance", "status"), [("i-0000000000000ffff", 404), ("i-1", 400), ("", 400), ("<script>", 400)]
)
def test_what_is_no_instance_of_ours_is_refused(browser: Browser, instance: str, status: int) -> None:
    for action in ("destroy", "hold", "unhold"):
        answer = browser.get(f"/dashboard/do/{action}", query_string={"instance": instance})
        assert (answer.status_code, answer.mimetype) == (status, "text/html")


# Hold and let go


def test_an_instance_is_held_for_a_time_and_with_a_reason(service: Service, browser: Browser) -> None:
    instance = service.idle()
    page = browser.get(f"/dashboard/do/hold?instance={instance}")

    leads_to(browser.answer_of(page, ttl="3600", reason=" its disk is full "))

    hold = service.registry.instances(DEFAULT_POOL)[instance].hold
    assert hold is not None
    assert (hold.until, hold.reason) == (NOW + timedelta(hours=1), "its disk is full")
    assert f"{instance} is held" in text_of(browser.get("/dashboard"))


def test_a_hold_needs_neither(service: Service, browser: Browser) -> None:
    instance = service.idle()

    browser.answer_of(browser.get(f"/dashboard/do/hold?instance={instance}"), ttl="")

    hold = service.registry.instances(DEFAULT_POOL)[instance].hold
    assert hold is not None
    assert (hold.until, hold.reason) == (None, None)


@pytest.mark.parametrize(
    "filled",
    [
        {"ttl": "0"},
        {"ttl": "-1"},
        {"ttl": "1.5"},
        {"ttl": "٣"},
        {"ttl": "9" * 5000},
        {"ttl": "soon"},
        {"reason": "x" * 201},
        {"reason": "two\nlines"},
        {"reason": "\x1b[31mred"},
        {"reason": "\u202egnorw"},
    ],
)
def test_what_was_filled_in_wrongly_is_told_and_kept(
    service: Service, browser: Browser, filled: dict[str, str]
) -> None:
    instance = service.idle()

    answer = browser.answer_of(
        browser.get(f"/dashboard/do/hold?instance={instance}"), **{"reason": "mine", **filled}
    )

    assert answer.status_code == 400
    assert 'role="alert"' in answer.get_data(as_text=True)
    assert "reason" in filled or 'value="mine"' in answer.get_data(as_text=True)
    assert not service.registry.instances(DEFAULT_POOL)[instance].held


def test_a_hold_that_comes_too_late_is_told(service: Service, browser: Browser) -> None:
    instance = service.idle()
    service.registry.destroy(instance, actor="another", now=NOW)
    page = browser.get(f"/dashboard/do/hold?instance={instance}")
    service.registry.note_terminate_call(instance, NOW)

    answer = browser.answer_of(page)

    assert answer.status_code == 409
    assert "it cannot be held any more" in text_of(answer)


def test_letting_go_of_a_free_one_gives_it_back(service: Service, browser: Browser) -> None:
    instance = service.idle()
    service.registry.hold(instance, actor="bob", now=NOW)

    leads_to(browser.answer_of(browser.get(f"/dashboard/do/unhold?instance={instance}")))

    assert not service.registry.instances(DEFAULT_POOL)[instance].held


def test_letting_go_of_what_is_ending_is_told_to_end_it(service: Service, browser: Browser) -> None:
    instance = service.held_by("alice")
    service.registry.hold(instance, actor="bob", now=NOW)
    before = browser.get(f"/dashboard/do/unhold?instance={instance}")
    service.registry.release(ALICE, actor="another", now=NOW)

    answer = browser.answer_of(before)

    assert "will be terminated" not in text_of(before)
    assert answer.status_code == 412
    assert f"{instance} is ending: it will be terminated" in text_of(answer)
    assert service.registry.instances(DEFAULT_POOL)[instance].held


# Allocate


def test_a_project_gets_an_instance(service: Service, browser: Browser) -> None:
    service.idle()
    instance = service.idle(pool=GPU)
    page = browser.get("/dashboard/do/allocate?pool=gpu&project=alice")

    assert "0 of 1 idle stay" in text_of(page)
    leads_to(browser.answer_of(page, pool="gpu", ttl="3600"))
    (held,) = (one for one in service.registry.instances(GPU).values() if one.project == ALICE)
    assert (held.id, held.expires_at) == (instance, NOW + timedelta(hours=1))
    assert f"alice has {instance} now" in text_of(browser.get("/dashboard"))


def test_who_has_one_already_is_told_and_nothing_is_taken(service: Service, browser: Browser) -> None:
    page = browser.get("/dashboard/do/allocate?pool=default")
    instance = service.held_by("alice")
    service.idle()

    leads_to(browser.answer_of(page, project="alice"))

    assert service.allocated == 1
    assert f"alice has {instance} already" in text_of(browser.get("/dashboard"))
    assert "has an instance already" in text_of(browser.get("/dashboard/do/allocate?project=alice"))


def test_where_nothing_is_idle_it_counts_as_demand_and_can_be_tried_again(
    service: Service, browser: Browser
) -> None:
    answer = browser.answer_of(browser.get("/dashboard/do/allocate"), project="alice")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert "No idle instance is available right now" in text_of(answer)
    assert 'value="alice"' in answer.get_data(as_text=True)
    assert service.registry.waiting(DEFAULT_POOL, now=NOW) == 1


@pytest.mark.parametrize("project", ["", "no project", "a.b", "status", "<script>alert(1)", "x" * 64])
def test_what_is_no_project_is_told_beside_what_was_typed(
    service: Service, browser: Browser, project: str
) -> None:
    service.idle()

    answer = browser.answer_of(browser.get("/dashboard/do/allocate"), project=project)

    assert answer.status_code == 400
    assert "<script>alert" not in answer.get_data(as_text=True)
    assert service.allocated == 0


def test_an_instance_of_another_pool_is_told(service: Service, browser: Browser) -> None:
    page = browser.get("/dashboard/do/allocate?pool=gpu")
    service.held_by("alice")

    answer = browser.answer_of(page, project="alice", pool="gpu")

    assert answer.status_code == 409
    assert "alice has an instance already" in text_of(answer)


def test_there_is_no_such_pool(browser: Browser) -> None:
    for action in ("allocate", "pause", "resume", "buffer"):
        assert browser.get(f"/dashboard/do/{action}?pool=other").status_code == 404
        assert browser.get(f"/dashboard/do/{action}?pool=<b>").status_code == 400


# All of them


@pytest.mark.parametrize(
    "action", ["renew", "release", "destroy", "hold", "unhold", "allocate", "pause", "buffer"]
)
def test_looking_at_a_question_changes_nothing(service: Service, browser: Browser, action: str) -> None:
    instance, before = service.held_by("alice"), events(service)

    for method in ("GET", "HEAD"):
        browser.http.open(f"/dashboard/do/{action}?project=alice&instance={instance}", method=method)

    assert events(service) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_there_is_no_other_way_to_answer(browser: Browser, method: str) -> None:
    assert browser.http.open("/dashboard/do/pause", method=method).status_code == 405


def test_without_the_database_one_is_told_and_nothing_is_done(transactions: Transactions) -> None:
    service = Service(transactions, tokens=FakeTokens())
    browser = logged_in(service)
    instance = service.held_by("alice")
    page = browser.get("/dashboard/do/release?project=alice")
    service.session_store.away = True

    answer = browser.answer_of(page)

    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert state_of(service, instance) is InstanceState.ALLOCATED
