"""What a person may do from the dashboard with a pool; what is said afterwards, and to where it leads."""

import pytest

from app.domain.access import Role
from app.domain.controls import Change, Controls
from app.domain.model import DEFAULT_POOL, Notice, PoolView
from app.registry.transactions import Transactions
from app.web.dashboard import flash
from tests.builders import NOW, a_look
from tests.fakes import FakeTokens
from tests.unit.web.browsers import OURS, Browser, leads_to, logged_in, text_of
from tests.unit.web.services import GPU, Service

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def browser(service: Service) -> Browser:
    return Browser(service)


def changed(service: Service, **change: int | bool) -> Controls:
    """What somebody else changes meanwhile."""
    return service.controls.change(
        DEFAULT_POOL,
        Change(**change),  # type: ignore[arg-type]
        configured=5,
        expect=None,
        actor="token:bob",
        now=NOW,
    )


def controls(service: Service) -> Controls:
    return service.controls.controls(DEFAULT_POOL)


# Pause and resume


def test_before_a_pause_one_is_told_what_stops(service: Service, browser: Browser) -> None:
    service.idle()
    told = text_of(browser.get("/dashboard/do/pause"))

    assert "Pause pool default?" in told
    assert "Nothing is launched, replaced or terminated at AWS" in told
    assert "when the 1 idle are taken, projects get nothing" in told
    assert not controls(service).paused


def test_a_pool_is_paused_and_resumed(service: Service, browser: Browser) -> None:
    leads_to(browser.answer_of(browser.get("/dashboard/do/pause")))
    paused = controls(service).paused
    told = text_of(browser.get("/dashboard"))
    leads_to(browser.answer_of(browser.get("/dashboard/do/resume")))

    assert (paused, controls(service).paused) == (True, False)
    assert "Pool default is paused" in told


def test_who_resumes_is_told_who_paused(service: Service, browser: Browser) -> None:
    changed(service, paused=True)

    assert "token:bob paused it" in text_of(browser.get("/dashboard/do/resume"))


def test_what_is_so_already_is_told(service: Service, browser: Browser) -> None:
    assert "is not paused" in text_of(browser.get("/dashboard/do/resume"))
    changed(service, paused=True)
    assert "is paused already" in text_of(browser.get("/dashboard/do/pause"))


@pytest.mark.parametrize("action", ["pause", "buffer"])
def test_what_somebody_else_changed_meanwhile_is_shown_anew(
    service: Service, browser: Browser, action: str
) -> None:
    page = browser.get(f"/dashboard/do/{action}")
    before = changed(service, buffer=9)

    answer = browser.answer_of(page)

    assert answer.status_code == 412
    assert "Somebody else changed it first" in text_of(answer)
    assert "0 of 9 wanted" in text_of(answer)
    assert controls(service) == before


@pytest.mark.parametrize("version", ["", "x", "-1", "1" * 5000, "\u0660", "0.0"])
def test_without_a_version_that_fits_nothing_is_done(
    service: Service, browser: Browser, version: str
) -> None:
    answer = browser.post("/dashboard/do/pause?pool=default", {"version": version})

    assert answer.status_code == 412
    assert not controls(service).paused


# Buffer


def test_a_buffer_is_changed_and_given_up(service: Service, browser: Browser) -> None:
    leads_to(browser.answer_of(browser.get("/dashboard/do/buffer"), buffer="7"))
    buffer, told = controls(service).buffer, text_of(browser.get("/dashboard"))
    leads_to(browser.answer_of(browser.get("/dashboard/do/buffer"), as_configured="yes"))

    assert (buffer, controls(service).buffer) == (7, None)
    assert "Pool default keeps 7 idle from now on." in told


@pytest.mark.parametrize("buffer", ["", "-1", "1.5", "1e3", "10001", "9" * 5000, "٣", "many"])
def test_what_is_no_buffer_is_told(service: Service, browser: Browser, buffer: str) -> None:
    answer = browser.answer_of(browser.get("/dashboard/do/buffer"), buffer=buffer)

    assert answer.status_code == 400
    assert "a whole number from 0 to 10000" in text_of(answer)
    assert controls(service).buffer is None


def test_the_other_pool_is_the_one_that_is_changed(service: Service, browser: Browser) -> None:
    leads_to(browser.answer_of(browser.get("/dashboard/do/pause?pool=gpu")))

    assert service.controls.controls(GPU).paused
    assert not controls(service).paused


# Who is shown what


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        (Role.VIEWER, set()),
        (Role.ALLOCATOR, {"allocate", "release"}),
        (Role.ADMIN, {"allocate", "release", "hold", "unhold", "destroy", "pause", "buffer"}),
    ],
)
def test_everybody_is_shown_what_they_may_do(transactions: Transactions, role: Role, sees: set[str]) -> None:
    service = Service(transactions, tokens=FakeTokens())
    service.held_by("alice")
    service.registry.hold(service.idle(), actor="bob", now=NOW)
    service.idle()
    browser = logged_in(service, role)

    for path in ("/dashboard", "/dashboard/live"):
        html = browser.get(path).get_data(as_text=True)
        every = {"allocate", "release", "hold", "unhold", "destroy", "pause", "resume", "buffer"}
        assert {action for action in every if f"/dashboard/do/{action}?" in html} == sees


def test_a_paused_pool_can_be_resumed(service: Service, browser: Browser) -> None:
    changed(service, paused=True)
    html = browser.get("/dashboard").get_data(as_text=True)

    assert "/dashboard/do/resume?" in html
    assert "/dashboard/do/pause?" not in html


# Where it leads


def referring(browser: Browser, referer: str) -> str:
    page = browser.get("/dashboard/do/pause", headers={**OURS, "Referer": referer})
    return leads_to(browser.answer_of(page))


def test_one_comes_back_to_where_one_was_with_all_filters(browser: Browser) -> None:
    assert referring(browser, "http://localhost:9092/dashboard?q=ali&page=2") == "/dashboard?q=ali&page=2"


@pytest.mark.parametrize(
    "referer",
    [
        "http://evil.example/dashboard?q=1",
        "http://localhost:9092/my-project",
        "http://localhost:9092/dashboard/do/pause",
        "http://localhost:9092//evil.example",
        "//localhost:9092//evil.example",
        "nonsense",
        "http://[",
        "",
    ],
)
def test_and_otherwise_to_the_dashboard(browser: Browser, referer: str) -> None:
    assert referring(browser, referer) == "/dashboard"


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "/destroy", ""]
)
def test_no_form_leads_elsewhere(browser: Browser, back: str) -> None:
    answer = browser.answer_of(browser.get("/dashboard/do/pause"), back=back)

    assert leads_to(answer) == "/dashboard"


# What is said afterwards


def test_it_is_told_once(browser: Browser) -> None:
    browser.answer_of(browser.get("/dashboard/do/pause"))

    first, second = (text_of(browser.get("/dashboard")) for _ in range(2))

    assert "is paused: nothing is changed" in first
    assert "is paused: nothing is changed at AWS until it is resumed." not in second


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "unknown",
        "paused",
        "paused.",
        f"paused.{EVIL}",
        "paused.a b",
        "paused.default.more",
        "paused.{0.__class__}",
        "paused." + "x" * 64,
        "released.a.b.c",
        ".....",
    ],
)
def test_who_can_set_cookies_can_say_nothing_here(browser: Browser, cookie: str) -> None:
    browser.http.set_cookie(flash.COOKIE, cookie, domain="localhost")

    html = browser.get("/dashboard").get_data(as_text=True)

    assert 'id="done"' not in html
    assert "alert(1)" not in html


def test_all_that_can_be_said_is_whole_sentences_about_names() -> None:
    for code, text in flash.SAID.items():
        said = flash.Said(code, tuple("abc"[: text.count("{")]))
        assert said.text.endswith(".")
        assert "{" not in said.text


# What others wrote


def test_nothing_that_others_wrote_becomes_a_part_of_a_page(service: Service, browser: Browser) -> None:
    """Reasons of holds, actors, zones, and what AWS says: all of it is text."""
    look = a_look(zone=EVIL)
    service.registry.discover(DEFAULT_POOL, look, now=NOW)
    service.registry.mark_idle(look.id, "10.0.0.1", 8080, now=NOW)
    service.registry.hold(look.id, reason=EVIL, actor=EVIL, now=NOW)
    notice = Notice(code=EVIL, detail=EVIL)
    service.registry.record_view(PoolView(pool=DEFAULT_POOL, notices=(notice,), last_pass_at=NOW))
    service.controls.change(DEFAULT_POOL, Change(paused=True), configured=5, expect=None, actor=EVIL, now=NOW)

    for path in (
        "/dashboard",
        "/dashboard/live",
        f"/dashboard?q={EVIL}",
        f"/dashboard/do/unhold?instance={look.id}",
        f"/dashboard/do/hold?instance={look.id}",
        f"/dashboard/do/destroy?instance={look.id}&x={EVIL}",
        "/dashboard/do/resume",
        f"/dashboard/do/resume?pool={EVIL}",
        f"/dashboard/do/allocate?project={EVIL}",
        f"/dashboard/do/{EVIL}",
        f"/login?next={EVIL}",
    ):
        html = browser.get(path).get_data(as_text=True)
        assert "<script>alert" not in html, path
        assert "<img" not in html, path
