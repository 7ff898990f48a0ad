"""Logs: one line for each pass, with what the original logged, one for each request, and nothing but JSON."""

import json

from tests.e2e.aws import SET_DESIRED
from tests.e2e.conftest import Pool
from tests.e2e.processes import Service
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


def test_a_pass_writes_one_line(hourly: Pool) -> None:
    def looks() -> int:
        """Of passes: before each write there is one more."""
        record = hourly.cloud.record
        return len(record("DescribeAutoScalingGroups")) - len(record(SET_DESIRED))

    # The set-up is examined some seconds after the start, and looks as well.
    until(lambda: hourly.cloud.asked("SetInstanceProtection"), within=30, what="the examination")
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


def test_every_line_is_json_gunicorns_own_too(service: Service) -> None:
    lines = [json.loads(line) for line in (*service.program.output, *service.program.errors)]
    assert any("Booting worker" in line["event"] for line in lines)
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
