"""One person's browser window on the service. It notes what a good page never does."""

import os
import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.waiting import until

SCREENSHOTS = os.environ.get("SCREENSHOTS")  # noqa: TID251 - for whoever wants to look at the pages
PATIENCE = 30_000.0
"""Milliseconds for what takes a moment on an idle machine."""
LIVE = "/dashboard/live"
POLL, STEP = 2_000, 200
"""Milliseconds: an open page asks that often; where it is late, held time goes on in such steps for a bit."""
DESKTOP = (1280, 900)
PHONE = (360, 740)
SERIOUS = {"serious", "critical"}

expect.set_options(timeout=PATIENCE)

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


class Visit:
    """A window with an empty profile: no cookie, nothing kept, and one page in it.

    Errors of the console, exceptions of scripts, and requests to other hosts are noted from the first page
    on; `check` fails for them. What a state must cause, such as a poll that is answered with 503, is named by
    `expects`.
    """

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        size: tuple[int, int] = DESKTOP,
        scheme: Scheme = "light",
        scripts: bool = True,
    ) -> None:
        self.url = url
        self._context = browser.new_context(
            base_url=url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",  # no picture of something half faded
            locale="en-GB",
            timezone_id="UTC",
        )
        self._context.set_default_timeout(PATIENCE)
        self.page: Page = self._context.new_page()
        self.asked: list[str] = []
        """Every address that was asked for, oldest first."""
        self._asking = 0
        self._answered = 0
        self._faults: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self._note(f"exception: {error}"))
        self.page.on("request", self._request)
        self.page.on("requestfinished", self._request_is_over)
        self.page.on("requestfailed", self._request_is_over)

    def open(self, path: str = "/dashboard") -> int:
        """Go there; the status of the answer."""
        answer = self.page.goto(path)
        assert answer is not None
        return answer.status

    def opens_saying(self, verdict: str) -> None:
        """Go to the dashboard, again and again until it says so.

        Where no pass comes for six seconds, on a busy machine, a pool is blind for a moment.
        """
        until(
            lambda: self.open() == HTTPStatus.OK and self.verdict == verdict,
            what=f"the page to say {verdict}",
        )

    def expects(self, *messages: str) -> None:
        """Pardon errors that match one of these expressions, from now on."""
        self._expected += [re.compile(message) for message in messages]

    def check(self) -> None:
        """Fail if anything happened, since the last time, that never should."""
        self.page.evaluate("0")  # what the browser has told so far is here when this has come back
        faults, self._faults = self._faults, []
        assert not faults, "\n".join(faults)

    def close(self) -> None:
        self._context.close()

    def section(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    @property
    def verdict(self) -> str | None:
        return self.section("health").get_attribute("data-verdict")

    @property
    def banner(self) -> Locator:
        """What an open page shows above all where it can learn nothing new."""
        return self.page.locator("#banner")

    def row(self, section: str, text: str) -> Locator:
        """The row of a table that has this in it."""
        return self.section(section).locator("tbody tr", has_text=text)

    @property
    def question(self) -> Locator:
        """What is asked before something is done: in a dialog, or on a page of its own."""
        return self.page.locator("#question")

    @property
    def done(self) -> Locator:
        """What the page says was done."""
        return self.page.locator("#done")

    def ask(self, section: str, name: str) -> Locator:
        """Follow the link of an action; its question."""
        self.section(section).get_by_role("link", name=name).first.click()
        self.question.wait_for()
        return self.question

    def answer(self, name: str) -> None:
        """Press a button of the question."""
        self.question.get_by_role("button", name=name).click()

    def log_in(self, token: str, at: str = "/login") -> None:
        """Log in as a person does, and come to the dashboard."""
        self.open(at)
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Log in").click()
        # The whole of it: the address of the login says where one wants to be.
        self.page.wait_for_url(re.compile(f"^{re.escape(self.url)}/dashboard"))

    def forgets_who_it_is(self) -> None:
        """Lose every cookie, as when a session has ended."""
        self._context.clear_cookies()

    def holds_time(self) -> None:
        """Let no time pass on the pages that are opened from now on, but what a test says."""
        now = datetime.now(UTC)  # noqa: TID251 - what the pages show is told from now
        self.page.clock.install(time=now - timedelta(minutes=1))
        self.page.clock.pause_at(now)

    def polled(self, after: int = POLL) -> None:
        """Where time is held, let it pass until the page has asked what is new, and has the answer.

        At least so long, at most twice as long, and none once that is over while the answer is on its way:
        however slow this machine is, to the page it comes at once.
        """
        before, left = self._answered, after

        def has_polled() -> bool:
            nonlocal left
            if self._answered == before and not self._asking:
                assert left > 0, f"nothing was asked within {2 * after} ms"
                left -= STEP
                self.page.clock.run_for(STEP)
            else:
                self.page.clock.run_for(0)
            return self._answered > before

        self.page.clock.run_for(after)
        until(has_polled, what="the page to ask what is new")

    def awaits_verdict(self, verdict: str, within: float = PATIENCE) -> None:
        """Wait until the page, as it stands and without a reload, says so."""
        self.page.locator(f"#health[data-verdict={verdict}]").wait_for(timeout=within)

    def barriers(self, picture: str, *, whole: bool = True) -> list[str]:
        """Tell what keeps people from using the page as it stands: in light, in dark, on a phone.

        Its pictures are kept under the name, where somebody wants to see them.
        """
        found = []
        for scheme in SCHEMES:
            self.in_scheme(scheme)
            self.picture(f"{picture}-{scheme}", whole=whole)
            found += [f"{scheme}: {one}" for one in self.violations()]
        self.in_size(PHONE)
        self.picture(f"{picture}-phone", whole=whole)
        if excess := self.sideways():
            found.append(f"phone: {excess} pixels stand out at the right")
        self.in_size(DESKTOP)
        self.in_scheme("light")
        return found

    def in_scheme(self, scheme: Scheme) -> None:
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    def in_size(self, size: tuple[int, int]) -> None:
        self.page.set_viewport_size({"width": size[0], "height": size[1]})

    def violations(self) -> list[str]:
        """What axe finds that keeps people from using the page as it stands."""
        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [
            f"{one['impact']} {one['id']}: {one['help']}\n    "
            + "\n    ".join(f"{node['target']} {node['failureSummary']}" for node in one["nodes"][:3])
            for one in found
            if one["impact"] in SERIOUS
        ]

    def sideways(self) -> int:
        """How many pixels of the page, or of the dialog over it, stand out at the right."""
        excess: int = self.page.evaluate(
            "Math.max(...[document.documentElement, ...document.querySelectorAll('dialog[open]')]"
            ".map(one => one.scrollWidth - one.clientWidth))"
        )
        return excess

    def picture(self, name: str, *, whole: bool = True) -> None:
        """Keep a screenshot, where somebody wants to see them."""
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=whole)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            where = message.location.get("url", "") if message.location else ""
            self._note(f"console {message.type}: {message.text} {where}")

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)
        if not request.url.startswith((f"{self.url}/", "data:")):
            self._note(f"another host: {request.method} {request.url}")
        self._asking += LIVE in request.url

    def _request_is_over(self, request: Request) -> None:
        if LIVE in request.url:
            self._asking -= 1
            self._answered += 1

    def _note(self, fault: str) -> None:
        if not any(pattern.search(fault) for pattern in self._expected):
            self._faults.append(fault)


class Visitor:
    """Opens windows, keeps them in mind, and closes them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._visits: list[Visit] = []

    def __call__(
        self, url: str, *, size: tuple[int, int] = DESKTOP, scheme: Scheme = "light", scripts: bool = True
    ) -> Visit:
        self._visits.append(Visit(self._browser, url, size=size, scheme=scheme, scripts=scripts))
        return self._visits[-1]

    def check(self) -> None:
        for visit in self._visits:
            visit.check()

    def close(self) -> None:
        for visit in self._visits:
            visit.close()
