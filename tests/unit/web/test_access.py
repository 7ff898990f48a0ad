"""Who may use the service: with a token, and without one on this machine alone."""

import pytest

from app.registry.sql import SqlRegistry
from tests.unit.web.services import TOKEN, Service, problem_of

# Who may


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/my-project"), ("POST", "/destroy"), ("GET", "/status"), ("GET", "/")]
)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"bearer {TOKEN} ", TOKEN, f"Basic {TOKEN}"]
)
def test_without_the_token_nothing_is_answered(
    registry: SqlRegistry, method: str, path: str, header: str | None
) -> None:
    service = Service(registry, TOKEN)
    service.idle()
    headers = {} if header is None else {"Authorization": header}

    answer = service.http.open(path, method=method, headers=headers)

    assert (answer.status_code, problem_of(answer)) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert service.allocated == 0


def test_with_the_token_everything_works_and_the_trail_says_who(registry: SqlRegistry) -> None:
    service = Service(registry, TOKEN)
    service.idle()

    answer = service.http.get("/my-project", headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.status_code == 200
    assert next(iter(registry.events(limit=1))).actor == "admin"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(registry: SqlRegistry, path: str) -> None:
    assert Service(registry, TOKEN).http.get(path).status_code != 401


def test_the_scheme_of_the_header_may_be_written_in_any_case(registry: SqlRegistry) -> None:
    answer = Service(registry, TOKEN).http.get("/status", headers={"Authorization": f"bearer {TOKEN}"})

    assert answer.status_code == 200


# Without a token: this machine alone, and no web page behind its user's back


@pytest.mark.parametrize("host", ["localhost:9092", "localhost", "127.0.0.1:9092", "[::1]:9092"])
def test_without_a_token_this_machine_is_answered(registry: SqlRegistry, host: str) -> None:
    service = Service(registry, loopback_only=True)

    assert service.http.get("/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9092", "10.0.0.5:9092", "localhost.evil.example"]
)
def test_without_a_token_a_name_that_was_made_to_lead_here_is_refused(
    registry: SqlRegistry, host: str
) -> None:
    service = Service(registry, loopback_only=True)
    instance = service.idle()

    answer = service.http.post("/destroy", json={"machineId": instance}, headers={"Host": host})

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")
    assert service.http.get("/healthz", headers={"Host": host}).status_code == 200


def test_without_a_token_another_machine_is_refused(registry: SqlRegistry) -> None:
    service = Service(registry, loopback_only=True)

    answer = service.http.get("/status", environ_base={"REMOTE_ADDR": "10.0.0.5"})

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")


def test_a_picture_on_another_site_takes_no_instance(service: Service) -> None:
    service.idle()

    answer = service.http.get(
        "/a1",
        headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    )

    assert (answer.status_code, problem_of(answer)) == (403, "forbidden")
    assert service.allocated == 0


def test_a_link_on_another_site_may_be_followed(service: Service) -> None:
    service.idle()
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    assert service.http.get("/a1", headers=headers).status_code == 200
