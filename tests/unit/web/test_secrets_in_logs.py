"""No secret that comes with a request stands in the log: not the token, not the form, not the cookie."""

import io
from collections.abc import Iterator

import pytest

from app.domain.access import Role
from app.domain.errors import RegistryUnavailable
from app.registry.transactions import Transactions
from tests.fakes import FakeTokens
from tests.own_output import Output, as_before
from tests.unit.web.browsers import Browser
from tests.unit.web.services import TOKEN, Service

WRONG = "eco_0a1b2c3d_" + "w" * 43
DATABASE = "postgresql+psycopg://app:the-password-of-it@db/x"


@pytest.fixture
def output() -> Iterator[Output]:
    with as_before():
        yield Output("json", io.StringIO())


@pytest.fixture
def closed(transactions: Transactions) -> Service:
    return Service(transactions, TOKEN, tokens=FakeTokens())


def secret_part(token: str) -> str:
    """The token without its public part."""
    return token.split("_", 2)[2] if token.startswith("eco_") else token


def test_a_good_token_stands_nowhere(closed: Service, output: Output) -> None:
    token = closed.token("ci", Role.ALLOCATOR)
    for given in (token, TOKEN):
        for path in ("/status", "/my-project", "/v1/instances", "/dashboard", "/no/such/page"):
            closed.http.get(path, headers={"Authorization": f"Bearer {given}"})

    assert len(output.lines) == 10
    assert secret_part(token) not in output.text
    assert TOKEN not in output.text


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {WRONG}",
        f"bearer  {WRONG}",
        f"Bearer {WRONG} {WRONG}",
        WRONG,
        f"Basic {WRONG}",
        f"Token token={WRONG}",
    ],
)
def test_a_token_that_is_refused_stands_nowhere(closed: Service, output: Output, header: str) -> None:
    assert closed.http.get("/status", headers={"Authorization": header}).status_code == 401

    assert [line["event"] for line in output.read] == ["access.refused", "request.finished"]
    assert secret_part(WRONG) not in output.text


def test_neither_the_form_nor_the_cookie_of_a_login_stands_anywhere(closed: Service, output: Output) -> None:
    browser = Browser(closed)
    browser.log_in(WRONG)
    browser.log_in(TOKEN)
    session = browser.session
    assert browser.get("/dashboard").status_code == 200
    browser.post("/dashboard/logout")

    assert "session.opened" in {line["event"] for line in output.read}
    for secret in (secret_part(WRONG), TOKEN, session):
        assert secret not in output.text


@pytest.mark.parametrize("path", ["/{}", "/v1/allocations/{}", "/dashboard/{}", "/{}/x", "/status?token={}"])
def test_a_token_that_somebody_puts_into_a_path_is_hidden(closed: Service, output: Output, path: str) -> None:
    closed.http.get(path.format(WRONG), headers={"Authorization": f"Bearer {TOKEN}"})

    assert output.lines
    assert secret_part(WRONG) not in output.text


def test_a_bug_whose_error_quotes_a_secret_hides_it(closed: Service, output: Output) -> None:
    browser = Browser(closed)
    browser.log_in(TOKEN)
    name, value = next(iter(browser.cookies.items()))

    def broken() -> str:
        raise KeyError(f"Authorization: Bearer {WRONG}; Cookie: {name}={value}; {DATABASE}")

    closed.app.view_functions["status.status"] = broken
    closed.http.get("/status", headers={"Authorization": f"Bearer {TOKEN}"})

    (crash,) = (line for line in output.read if line["event"] == "request.crashed")
    assert "KeyError" in crash["exception"]
    for secret in (secret_part(WRONG), value, "the-password-of-it"):
        assert secret not in output.text


def test_a_database_that_is_away_tells_no_password(closed: Service, output: Output) -> None:
    def away() -> str:
        raise RegistryUnavailable("The database does not answer.") from OSError(f"cannot reach {DATABASE}")

    closed.app.view_functions["status.status"] = away
    closed.http.get("/status", headers={"Authorization": f"Bearer {TOKEN}"})

    (line,) = (line for line in output.read if line["event"] == "registry.unavailable")
    assert "postgresql+psycopg://app:***@db/x" in line["cause"]
