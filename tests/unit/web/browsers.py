"""A browser, as far as a server can see one: it keeps cookies, and says where its requests come from."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from app.domain.access import Role
from tests.unit.web.services import Service

HTTPS = "https://pool.example.com"

OURS = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
TYPED = {**OURS, "Sec-Fetch-Site": "none"}
LINKED = {**OURS, "Sec-Fetch-Site": "cross-site"}


class Browser:
    """One browser at one address of the service."""

    def __init__(
        self, service: Service, *, base_url: str = "http://localhost:9092", address: str = "127.0.0.1"
    ) -> None:
        self.service = service
        self.http = service.app.test_client()
        self._base_url = base_url
        self._address = address

    def get(self, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
        return self._ask("GET", path, headers=TYPED if headers is None else headers, **more)

    def post(
        self,
        path: str,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Any:
        sent = OURS if headers is None else headers
        return self._ask("POST", path, headers=sent, data=data or {}, **more)

    def log_in(self, token: str, next_path: str = "") -> Any:
        return self.post(f"/login{next_path}", {"token": token})

    def answer_of(self, page: Any, **filled: str) -> Any:
        """Fill in the form of a page, and send it."""
        html = page.get_data(as_text=True)
        form = html[html.index('<form method="post" action="/dashboard/do/') :]
        action = re.search(r'action="([^"]+)"', form)
        assert action
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
        typed = re.findall(r'<input id="[^"]+" name="([^"]+)" value="([^"]*)"', form)
        data = {name: unescape(value) for name, value in [*hidden, *typed]}
        return self.post(unescape(action[1]), data | filled)

    @property
    def cookies(self) -> dict[str, str]:
        """What it would send to the service, by name."""
        found = self.http._cookies or {}
        return {cookie.key: cookie.value for cookie in found.values()}

    @property
    def session(self) -> str:
        (found,) = (value for name, value in self.cookies.items() if "session" in name)
        return found

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        return self.http.open(
            path,
            method=method,
            base_url=self._base_url,
            environ_overrides={"REMOTE_ADDR": self._address},
            **more,
        )


def text_of(answer: Any) -> str:
    """What a page says, without its marks."""
    html: str = answer.get_data(as_text=True)
    body = html[html.index("<main") : html.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def cookies_of(answer: Any) -> list[str]:
    """The cookies that an answer sets, with all that is said about each."""
    return list(answer.headers.getlist("Set-Cookie"))


def leads_to(answer: Any) -> str:
    """Where a redirect leads: a path of the service, and nothing else."""
    assert answer.status_code == 303, answer.get_data(as_text=True)
    location: str = answer.headers["Location"]
    parts = urlsplit(location)
    assert not parts.scheme
    assert not parts.netloc
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    return location


def logged_in(service: Service, role: Role = Role.ADMIN) -> Browser:
    """A browser in which somebody has logged in with a token of this role."""
    browser = Browser(service)
    leads_to(browser.log_in(service.token(f"ann-{role}", role)))
    return browser
