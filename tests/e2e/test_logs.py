"""Logs: one line for each pass, with what the original logged, one for each request, and nothing but JSON."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from app.telemetry import log_events
from app.web.request_id import HEADER
from tests.e2e.aws import SET_DESIRED, Aws
from tests.e2e.conftest import Pool
from tests.e2e.processes import HOST, Service
from tests.waiting import until


def test_a_passs_line_tells_found_idle_used_and_the_scaling(service: Service) -> None:
    used = service.status()["usedMachines"]
    known = len(service.passes)
    service.allocate("makes-it-scale")
    raising = until(
        lambda: [line for line in service.passes[known:] if line["scaling"]], what="a pass that scales"
    )
    assert {name: raising[0][name] for name in ("found", "idle", "used", "scaling")} == {
        "found": used + 5,
        "idle": 4,
        "used": used + 1,
        "scaling": f"{used + 5} -> {used + 6}",
    }
    assert raising[0]["ms"] > 0


def test_a_pass_writes_one_line(hourly: Pool) -> None:
    def looks() -> int:
        """Of passes: before each write there is one more."""
        record = hourly.cloud.record
        return len(record("DescribeAutoScalingGroups")) - len(record(SET_DESIRED))

    def at_rest() -> bool:
        """Whether the last pass has found nothing that another one is to follow soon."""
        last = hourly.service.passes[-1]
        return not (last["booting"] or last["actions"]) and last["found"] == last["desired"]

    # The set-up is examined some seconds after the start, and looks as well.
    until(lambda: hourly.cloud.asked("SetInstanceProtection"), within=30, what="the examination")
    until(at_rest, what="the last pass before the claim, and its line")
    passes, seen = len(hourly.service.passes), looks()
    hourly.service.allocate("causes-passes")

    def as_many_lines_as_looks() -> bool:
        lines = len(hourly.service.passes) - passes
        return lines == looks() - seen >= 3

    until(as_many_lines_as_looks, within=30, what="three passes with a line each")


def test_a_request_writes_one_line(service: Service) -> None:
    service.get("logged-once")
    service.get("logged-afterwards")
    until(lambda: any(line.get("path") == "/logged-afterwards" for line in service.logs))
    lines = [line for line in service.logs if line.get("path") == "/logged-once"]
    assert [(line["event"], line["method"], line["status"]) for line in lines] == [
        ("request.finished", "GET", 200)
    ]
    assert lines[0]["ms"] >= 0
    assert (lines[0]["address"], lines[0]["actor"]) == ("127.0.0.1", "anonymous")
    assert (lines[0]["project"], lines[0]["outcome"]) == ("logged-once", "warm")


def test_every_line_is_json_gunicorns_own_too(service: Service) -> None:
    lines = [json.loads(line) for line in (*service.program.output, *service.program.errors)]
    assert any("Booting worker" in line.get("detail", "") for line in lines)
    assert all(log_events.LINES.keys() <= line.keys() for line in lines)


def test_every_line_is_one_that_is_listed_and_has_the_fields_that_are_listed(service: Service) -> None:
    service.allocate("is-logged")
    service.get("no.project")
    _refused(service, b"nonsense\r\n\r\n")
    until(lambda: any(line["event"] == "request.refused" for line in service.logs))

    listed = {one.name: one for one in log_events.all_events()}
    may = {log_events.EXCEPTION, *log_events.OF_A_REQUEST}
    for line in service.logs:
        own = set(line) - set(log_events.LINES) - may
        assert own == set(listed[line["event"]].fields), line
        assert line["level"] in listed[line["event"]].levels


def test_a_service_at_rest_tells_of_its_passes_and_of_nothing_else(service: Service) -> None:
    service.http.get("/v1/pools/default", headers={HEADER: "the-last-request"})
    until(lambda: bool(_lines_of(service, "the-last-request")), what="what was written before to be read")
    begun, passes = len(service.logs), len(service.passes)
    until(lambda: len(service.passes) >= passes + 3, what="three passes")

    lines = [line for line in service.logs[begun:] if line.get("path") != "/status"]
    assert {line["event"] for line in lines} == {"pass.finished"}


def test_a_line_and_the_answer_have_the_id_that_the_request_had(service: Service) -> None:
    answer = service.http.get("/v1/pools/default", headers={HEADER: "caller:4711"})
    until(lambda: bool(_lines_of(service, "caller:4711")), what="the line")

    assert answer.headers[HEADER] == "caller:4711"
    assert [line["event"] for line in _lines_of(service, "caller:4711")] == ["request.finished"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 10_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: much\r\n\r\n", b"417"),
    ],
)
def test_what_never_gets_to_the_application_has_an_id_as_well(
    service: Service, sent: bytes, status: bytes
) -> None:
    head = _refused(service, sent)

    assert head.split()[1] == status
    (identity,) = re.findall(rb"(?i)^x-request-id: ([0-9a-f]{32})\r$", head, re.MULTILINE)
    until(lambda: bool(_lines_of(service, identity.decode())), what="the line")
    assert [line["event"] for line in _lines_of(service, identity.decode())] == ["request.refused"]


def test_two_ids_in_one_request_are_none(service: Service) -> None:
    sent = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head = _refused(service, sent + b"X-Request-ID: r-1\r\nX-Request-ID: r-2\r\n\r\n")

    assert re.search(rb"(?i)^x-request-id: [0-9a-f]{32}\r$", head, re.MULTILINE)


def test_no_secret_of_the_settings_or_of_a_request_stands_in_any_line(
    tmp_path: Path, cloud: Aws, service: Service
) -> None:
    secrets = {
        "AWS_SECRET_KEY": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
        "ORCHESTRATOR_ADMIN_TOKEN": "an-admin-token-of-the-settings",
    }
    wrong = "w" * 43
    settings = {**cloud.settings, **secrets, "ORCHESTRATOR_AUTH": "on", "ORCHESTRATOR_POLLER": "off"}
    with Service(tmp_path / "guarded.db", settings) as guarded:
        guarded.start()
        admin, http = secrets["ORCHESTRATOR_ADMIN_TOKEN"], guarded.http
        http.get("/status", headers={"Authorization": f"Bearer {admin}"})
        http.get("/status", headers={"Authorization": f"Bearer eco_0a1b2c3d_{wrong}"})
        http.get(f"/eco_0a1b2c3d_{wrong}", headers={"Authorization": f"Bearer {admin}"})
        own = {"Origin": guarded.url, "Sec-Fetch-Site": "same-origin"}
        answer = http.post("/login", data={"token": admin}, headers=own)
        assert answer.status_code == 303
        session = next(value for name, value in http.cookies.items() if "session" in name)
        assert http.get("/dashboard").status_code == 200
        assert guarded.terminate() == 0

    assert {"access.refused", "session.opened"} <= {line["event"] for line in guarded.logs}
    for secret in (*secrets.values(), wrong, session):
        assert secret not in guarded.program.said


def _lines_of(service: Service, identity: str) -> list[dict[str, Any]]:
    return [line for line in service.logs if line.get("request_id") == identity]


def _refused(service: Service, sent: bytes) -> bytes:
    """Send what HTTP libraries do not, and return the head of the answer."""
    with socket.create_connection((HOST, service.port), timeout=20) as client:
        client.sendall(sent)
        answer = b""
        while part := client.recv(65536):
            answer += part
    return answer.partition(b"\r\n\r\n")[0] + b"\r\n"
