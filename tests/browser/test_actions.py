"""What a person changes with the page: each action asks first, names what is lost, and says what it did."""

import pytest

from tests.browser.installation import Installation
from tests.browser.visit import Visit, Visitor
from tests.e2e.processes import DEADLINE
from tests.waiting import until


@pytest.fixture
def visit(installation: Installation, visitor: Visitor) -> Visit:
    visit = visitor(installation.url)
    visit.open()
    return visit


def idle(installation: Installation) -> str:
    """One that may be handed out."""
    return next(iter(installation.service.machines("idle")))


def test_a_hold_is_asked_for_with_its_reason_and_shown(installation: Installation, visit: Visit) -> None:
    question = visit.ask("instances", "Hold")
    question.get_by_label("Reason").fill("its disk is full")
    visit.answer("Hold it")

    visit.done.filter(has_text="is held").wait_for()
    visit.row("instances", "held").wait_for()
    assert installation.pool()["instances"]["held"] == 1


def test_an_allocation_is_renewed_for_as_long_as_is_chosen(
    installation: Installation, visitor: Visitor
) -> None:
    taken = installation.service.http.put("/v1/allocations/alice", json={"confirmWithin": 600})
    assert taken.is_success
    visit = visitor(installation.url)
    visit.open()
    visit.picture("to-be-confirmed")

    question = visit.ask("allocations", "Renew")
    question.get_by_label("Time limit").select_option("4 hours")
    visit.picture("question-renew", whole=False)
    visit.answer("Renew it")

    visit.done.filter(has_text="alice keeps").wait_for()
    visit.row("allocations", "in 3 h 59 min").wait_for()
    held = installation.service.http.get("/v1/allocations/alice").json()
    assert (held["confirmBy"], held["expiresAt"] is None) == (None, False)


def test_a_hold_is_ended(installation: Installation, visitor: Visitor) -> None:
    held = idle(installation)
    assert installation.service.http.put(f"/v1/instances/{held}/hold").is_success
    visit = visitor(installation.url)
    visit.open()

    visit.row("instances", held).get_by_role("link", name="Let go").click()
    visit.answer("Let go")

    visit.done.filter(has_text=held).wait_for()
    assert installation.pool()["instances"]["held"] == 0


def test_an_idle_one_is_terminated_once_the_loss_was_shown(installation: Installation, visit: Visit) -> None:
    ended = idle(installation)
    visit.row("instances", ended).get_by_role("link", name="Terminate").click()
    visit.question.wait_for()
    visit.picture("question-terminate", whole=False)
    assert ended in visit.question.inner_text()

    visit.answer("Terminate")

    visit.done.filter(has_text=ended).wait_for()
    assert ended not in installation.service.machines("idle")


def test_a_pool_is_paused_and_resumed(installation: Installation, visit: Visit) -> None:
    visit.ask("health", "Pause")
    visit.answer("Pause")
    visit.awaits_verdict("paused")
    assert installation.pool()["paused"]

    visit.ask("health", "Resume")
    visit.answer("Resume")
    visit.awaits_verdict("healthy")
    assert not installation.pool()["paused"]


def test_the_buffer_is_changed_and_the_pool_filled_up(installation: Installation, visit: Visit) -> None:
    question = visit.ask("health", "Change buffer")
    question.get_by_label("Idle instances").fill("3")
    visit.answer("Change the buffer")

    visit.done.filter(has_text="3").wait_for()
    visit.section("health").get_by_text("of 3 wanted").wait_for()
    until(
        lambda: installation.pool()["instances"]["idle"] == 3, within=DEADLINE, what="the pool to be filled"
    )


def test_what_another_changed_meanwhile_is_not_overwritten(installation: Installation, visit: Visit) -> None:
    visit.ask("health", "Pause")
    installation.change(buffer=2)

    visit.expects("status of 409|status of 412")
    visit.answer("Pause")
    visit.page.get_by_role("alert").filter(has_text="changed").wait_for()

    assert visit.barriers("question-changed-meanwhile") == []
    assert not installation.pool()["paused"]


def test_another_instance_than_the_one_shown_is_not_given_back(
    installation: Installation, visitor: Visitor
) -> None:
    shown = installation.allocate("mover")["instance"]
    visit = visitor(installation.url)
    visit.open()
    visit.ask("allocations", "Release")
    installation.service.destroy(shown)
    other = installation.allocate("mover")["instance"]

    visit.expects("status of 409|status of 412")
    visit.answer("Release")
    visit.page.get_by_role("alert").wait_for()

    assert installation.service.holders() == {"mover": other}
    assert other in visit.question.inner_text()


def test_nothing_idle_is_said_so(installation: Installation, visit: Visit) -> None:
    question = visit.ask("health", "Allocate")
    question.get_by_label("Project").fill("too-late")
    installation.cloud.control("POST", "capacity", limit=2, kind="capacity")
    installation.allocate("first")
    installation.allocate("second")

    visit.expects("status of 503")
    visit.answer("Allocate")
    visit.page.get_by_role("alert").wait_for()

    visit.picture("question-exhausted", whole=False)
    assert "too-late" not in installation.service.holders()
    # Whoever got nothing counts as demand for half a minute: the pool would be larger for the next tests.
    installation.cloud.control("POST", "capacity", limit=None)
    until(lambda: installation.service.get("too-late").is_success, within=DEADLINE, what="one to be idle")


def test_a_wrong_name_can_be_mended(installation: Installation, visit: Visit) -> None:
    question = visit.ask("health", "Allocate")
    question.get_by_label("Project").fill("not a name")
    visit.expects("status of 400")
    visit.answer("Allocate")
    visit.page.get_by_role("alert").wait_for()

    assert visit.question.get_by_label("Project").input_value() == "not a name"


def test_escape_changes_nothing_and_leads_back(installation: Installation, visit: Visit) -> None:
    machine = idle(installation)
    link = visit.row("instances", machine).get_by_role("link", name="Terminate")
    link.focus()
    visit.page.keyboard.press("Enter")
    visit.question.wait_for()

    visit.page.keyboard.press("Escape")
    visit.question.wait_for(state="detached")

    assert machine in installation.service.machines("idle")
    assert machine in (visit.page.evaluate("document.activeElement.href") or "")


def test_the_focus_begins_where_nothing_is_lost_and_stays_in_the_dialog(
    installation: Installation, visit: Visit
) -> None:
    visit.ask("instances", "Terminate")
    inside = "document.activeElement === document.body || document.activeElement.closest('dialog') !== null"

    assert visit.page.evaluate("document.activeElement.textContent").strip() == "Cancel"
    for _ in range(6):
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate(inside)


@pytest.mark.parametrize("action", ["Allocate", "Pause", "Change buffer"])
def test_everybody_can_answer(installation: Installation, visit: Visit, action: str) -> None:
    visit.ask("health", action)

    assert visit.barriers(f"question-{action.split(maxsplit=1)[0].lower()}", whole=False) == []


def test_an_instance_is_released_without_scripts(installation: Installation, visitor: Visitor) -> None:
    installation.allocate("plain")
    visit = visitor(installation.url, scripts=False)
    visit.open()

    visit.ask("allocations", "Release")
    visit.picture("question-without-scripts", whole=False)
    visit.answer("Release")

    visit.done.filter(has_text="plain").wait_for()
    assert installation.service.holders() == {}


def test_an_action_goes_back_to_where_it_was_asked(installation: Installation, visit: Visit) -> None:
    visit.open("/dashboard?state=idle")
    visit.ask("instances", "Hold")
    visit.answer("Hold it")

    visit.done.wait_for()

    assert visit.page.url.endswith("/dashboard?state=idle")
