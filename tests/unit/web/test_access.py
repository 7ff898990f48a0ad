"""Who may use the service: with a token, and without one on this machine alone."""

import pytest
from flask import Flask

from app.domain.access import Role
from app.registry.transactions import Transactions
from app.web import auth
from tests.fakes import FakeTokens
from tests.unit.web.services import TOKEN, Service, problem_of

# Who may


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/my-project"), ("POST", "/destroy"), ("GET", "/status"), ("GET", "/v1/events")],
)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"bearer {TOKEN} ", TOKEN, f"Basic {TOKEN}"]
)
def test_without_the_token_nothing_is_answered(
    transactions: Transactions, method: str, path: str, header: str | None
) -> None:
    service = Service(transactions, TOKEN)
    service.idle()
    headers = {} if header is None else {"Authorization": header}

    answer = service.http.open(path, method=method, headers=headers)

    assert (answer.status_code, problem_of(answer)) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert service.allocated == 0


def test_with_the_token_everything_works_and_the_trail_says_who(transactions: Transactions) -> None:
    service = Service(transactions, TOKEN)
    service.idle()

    answer = service.http.get("/my-project", headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.status_code == 200
    assert next(iter(service.registry.events(limit=1))).actor == "admin"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(transactions: Transactions, path: str) -> None:
    assert Service(transactions, TOKEN).http.get(path).status_code != 401


def test_the_scheme_of_the_header_may_be_written_in_any_case(transactions: Transactions) -> None:
    answer = Service(transactions, TOKEN).http.get("/status", headers={"Authorization": f"bearer {TOKEN}"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer \xe4\xf6\xfc" + "x" * 40,
        "\xff",
        "Bearer " + "x" * 60_000,
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        f"Bearer {TOKEN},Bearer {TOKEN}",
        "Negotiate " + "A" * 100,
    ],
)
def test_an_odd_header_is_refused_and_nothing_breaks(transactions: Transactions, header: str) -> None:
    answer = Service(transactions, TOKEN).http.get("/status", environ_base={"HTTP_AUTHORIZATION": header})

    assert (answer.status_code, problem_of(answer)) == (401, "unauthenticated")


def test_who_fails_too_often_is_told_when_to_try_again(transactions: Transactions) -> None:
    service = Service(transactions, TOKEN)
    answers = [service.http.get("/status", headers={"Authorization": "Bearer wrong"}) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert problem_of(answers[-1]) == "too-many-attempts"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert service.http.get("/healthz").status_code == 200


def test_the_trail_names_the_token_that_was_used(transactions: Transactions) -> None:
    service = Service(transactions, tokens=FakeTokens())
    service.idle()
    token = service.token("ci", Role.ALLOCATOR)

    service.http.get("/my-project", headers={"Authorization": f"Bearer {token}"})

    assert next(iter(service.registry.events(limit=1))).actor == "token:ci"


def test_an_endpoint_that_does_not_say_which_role_it_needs_is_no_endpoint(service: Service) -> None:
    app = Flask("another", static_folder=None)
    app.add_url_rule("/forgotten", view_func=lambda: "", endpoint="forgotten")

    with pytest.raises(LookupError, match="forgotten"):
        auth.guard(app, service.gate, service.sessions)


def test_a_token_stands_in_no_log_line(
    transactions: Transactions, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service(transactions, tokens=FakeTokens())
    token = service.token("ci", Role.ALLOCATOR)
    for sent in (token, token[:-1] + "x", token + "x"):
        service.http.get("/status", headers={"Authorization": f"Bearer {sent}"})

    told = "".join(capsys.readouterr())
    assert "access.refused" in told
    assert token[13:30] not in told


def test_who_still_uses_a_revoked_token_is_found_by_its_id(
    transactions: Transactions, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service(transactions, tokens=FakeTokens())
    token = service.token("ci", Role.ALLOCATOR)
    service.tokens.revoke("ci", actor="cli:ann", now=service.clock.now())

    service.http.get("/status", headers={"Authorization": f"Bearer {token}"})

    (line,) = (one for one in capsys.readouterr().out.splitlines() if "access.refused" in one)
    assert token[4:12] in line
    assert token[13:] not in line


# Without a token: this machine alone, and no web page behind its user's back


@pytest.mark.parametrize("host", ["localhost:9092", "localhost", "127.0.0.1:9092", "[::1]:9092"])
def test_without_a_token_this_machine_is_answered(transactions: Transactions, host: str) -> None:
    service = Service(transactions, loopback_only=True)

    assert service.http.get("/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9092", "10.0.0.5:9092", "localhost.evil.example"]
)
def test_without_a_token_a_name_that_was_made_to_lead_here_is_refused(
    transactions: Transactions, host: str
) -> None:
    service = Service(transactions, loopback_only=True)
    instance = service.idle()

    answer = service.http.post("/destroy", json={"machineId": instance}, headers={"Host": host})

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")
    assert service.http.get("/healthz", headers={"Host": host}).status_code == 200


def test_without_a_token_another_machine_is_refused(transactions: Transactions) -> None:
    service = Service(transactions, loopback_only=True)

    answer = service.http.get("/status", environ_base={"REMOTE_ADDR": "10.0.0.5"})

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")


def test_auth_off_on_a_loopback_address_is_no_weaker(transactions: Transactions) -> None:
    service = Service(transactions, off=True)
    service.token("ci", Role.VIEWER)

    assert service.http.get("/status").status_code == 200
    for answer in (
        service.http.get("/a1", headers={"Host": "evil.example"}),
        service.http.get("/a1", environ_base={"REMOTE_ADDR": "10.0.0.5"}),
    ):
        assert (answer.status_code, problem_of(answer)) == (403, "forbidden")


PICTURE = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
FRAME = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("way", [PICTURE, FRAME, SCRIPT])
def test_what_is_on_another_page_takes_no_instance(service: Service, site: str, way: dict[str, str]) -> None:
    service.idle()

    answer = service.http.get("/a1", headers={"Sec-Fetch-Site": site, **way})

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")
    assert service.allocated == 0


@pytest.mark.parametrize("path", ["/", "/docs", "/status", "/v1/pools"])
def test_a_link_on_another_site_may_look(service: Service, path: str) -> None:
    assert service.http.get(path, headers={"Sec-Fetch-Site": "cross-site", **LINK}).status_code == 200


def test_a_link_on_another_site_takes_no_instance(service: Service) -> None:
    """A page follows it by itself: `location = "http://localhost:9092/a1"`."""
    service.idle()

    answer = service.http.get("/a1", headers={"Sec-Fetch-Site": "cross-site", **LINK})

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")
    assert service.allocated == 0


def test_a_form_on_another_site_destroys_nothing(service: Service) -> None:
    machine = service.held_by("a1")

    answer = service.http.post(
        "/destroy", json={"machineId": machine}, headers={"Sec-Fetch-Site": "cross-site", **LINK}
    )

    assert (answer.status_code, service.allocated) == (403, 1)


@pytest.mark.parametrize("site", ["same-site", "same-origin", "none"])
def test_a_link_on_the_same_site_or_an_address_that_was_typed_takes_one(service: Service, site: str) -> None:
    """On this machine that is a page at another port: the user's own product."""
    service.idle()

    assert service.http.get("/a1", headers={"Sec-Fetch-Site": site, **LINK}).status_code == 200


def test_with_a_token_a_page_may_be_anywhere(transactions: Transactions) -> None:
    service = Service(transactions, TOKEN)
    service.idle()
    headers = {"Sec-Fetch-Site": "cross-site", **SCRIPT, "Authorization": f"Bearer {TOKEN}"}

    assert service.http.get("/a1", headers=headers).status_code == 200


def test_the_first_token_closes_the_door(transactions: Transactions) -> None:
    service = Service(transactions, loopback_only=True)
    before = service.http.get("/status").status_code
    token = service.token("ci", Role.VIEWER)
    service.watch.advance(5)

    assert (before, service.http.get("/status").status_code) == (200, 401)
    assert service.http.get("/status", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_with_a_token_other_machines_and_names_are_answered(transactions: Transactions) -> None:
    service = Service(transactions, loopback_only=True)
    headers = {"Authorization": f"Bearer {service.token('ci', Role.VIEWER)}", "Host": "pool.example.com"}

    answer = service.http.get("/status", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.5"})

    assert answer.status_code == 200


def test_without_the_database_nobody_knows_whether_the_door_is_open(transactions: Transactions) -> None:
    tokens = FakeTokens()
    tokens.away = True
    service = Service(transactions, loopback_only=True, tokens=tokens)

    answer = service.http.get("/status")

    assert (answer.status_code, problem_of(answer)) == (503, "registry-unavailable")
    assert service.http.get("/healthz").status_code == 200


# Proxies in front

LOCAL = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost"}


def wrong_tokens(service: Service, sent_from: str, times: int = 11) -> int:
    """Return the status of the last of several requests with a wrong token."""
    headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": sent_from}
    return [service.http.get("/status", headers=headers).status_code for _ in range(times)][-1]


def test_what_a_request_says_of_its_origin_is_not_believed(transactions: Transactions) -> None:
    service = Service(transactions, TOKEN)
    wrong_tokens(service, "192.0.2.1")

    assert wrong_tokens(service, "192.0.2.2", times=1) == 429


def test_a_stranger_does_not_become_a_neighbour_by_saying_so(transactions: Transactions) -> None:
    service = Service(transactions, loopback_only=True)

    answer = service.http.get("/status", headers=LOCAL, environ_base={"REMOTE_ADDR": "10.0.0.5"})

    assert answer.status_code == 403


def test_behind_a_proxy_the_address_is_the_one_that_it_tells(transactions: Transactions) -> None:
    service = Service(transactions, TOKEN, proxy_hops=1)
    wrong_tokens(service, "192.0.2.1")

    assert wrong_tokens(service, "192.0.2.2", times=1) == 401
    assert wrong_tokens(service, "192.0.2.2, 192.0.2.1", times=1) == 429


def test_behind_two_proxies_it_is_the_one_that_the_first_tells(transactions: Transactions) -> None:
    service = Service(transactions, TOKEN, proxy_hops=2)
    wrong_tokens(service, "192.0.2.1, 10.0.0.1")

    assert wrong_tokens(service, "192.0.2.2, 10.0.0.1", times=1) == 401
    assert wrong_tokens(service, "192.0.2.7, 192.0.2.1, 10.0.0.1", times=1) == 429


def test_an_open_service_behind_a_proxy_answers_its_own_machine(transactions: Transactions) -> None:
    service = Service(transactions, loopback_only=True, proxy_hops=1)

    assert service.http.get("/status", headers=LOCAL).status_code == 200


@pytest.mark.parametrize(
    "told",
    [
        {**LOCAL, "X-Forwarded-For": "203.0.113.9"},
        {**LOCAL, "X-Forwarded-For": "127.0.0.1, 203.0.113.9"},
        {**LOCAL, "X-Forwarded-For": "unknown"},
        {**LOCAL, "X-Forwarded-Host": "evil.example"},
        {**LOCAL, "X-Forwarded-For": '""'},
        {**LOCAL, "X-Forwarded-For": '127.0.0.1, ""'},
        {**LOCAL, "X-Forwarded-For": '" "'},
        {**LOCAL, "X-Forwarded-Host": '""'},
        {**LOCAL, "X-Forwarded-Host": 'localhost, ""'},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {},
    ],
)
def test_an_open_service_behind_a_proxy_is_not_open_to_strangers(
    transactions: Transactions, told: dict[str, str]
) -> None:
    """The proxy is on the same machine, so all that comes through it has a loopback address at first."""
    service = Service(transactions, loopback_only=True, proxy_hops=1)

    answer = service.http.get("/status", headers=told)

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")


def test_one_proxy_less_than_configured_opens_nothing(transactions: Transactions) -> None:
    service = Service(transactions, loopback_only=True, proxy_hops=2)

    assert service.http.get("/status", headers=LOCAL).status_code == 403
