"""One person's day: log in, look, take an instance, give it back, log out."""

from app.domain.access import Role
from tests.browser.installation import Guarded
from tests.browser.visit import Visitor


def test_a_day_of_an_operator(guarded: Guarded, visitor: Visitor) -> None:
    visit = visitor(guarded.url)

    visit.log_in(guarded.tokens[Role.ADMIN], at="/")
    visit.awaits_verdict("healthy")
    assert "2 of 2 wanted" in " ".join(visit.section("health").inner_text().split())

    question = visit.ask("health", "Allocate")
    question.get_by_label("Project").fill("my-project")
    visit.picture("question-allocate", whole=False)
    visit.answer("Allocate")
    visit.done.filter(has_text="my-project").wait_for()
    visit.picture("done-allocated")
    instance = guarded.service.holders()["my-project"]
    visit.row("instances", "my-project").filter(has_text=instance).filter(has_text="in use").wait_for()
    address = visit.row("allocations", "my-project").get_by_role("link").first.get_attribute("href")
    assert address == guarded.service.allocate("my-project")["url"]

    question = visit.ask("allocations", "Release")
    visit.picture("question-release", whole=False)
    told = question.inner_text()
    assert instance in told
    assert "my-project" in told
    assert "lost" in told
    visit.answer("Release")
    visit.done.filter(has_text="Released").wait_for()
    assert "my-project" not in guarded.service.holders()
    visit.row("allocations", "my-project").wait_for(state="detached")

    visit.page.get_by_role("button", name="Log out").click()
    visit.page.wait_for_url("**/login*")
    events = guarded.service.http.get("/v1/events").json()["items"]
    assert {one["actor"] for one in events if one["project"] == "my-project"} >= {"token:admin"}
