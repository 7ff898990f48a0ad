"""`pools`, `buffer`, `pause` and `resume`."""

import re

import pytest

from tests.answering import AnsweringService, Says
from tests.unit.cli import wire
from tests.unit.cli.shell import Shell

DEFAULT, GPU = "/v1/pools/default", "/v1/pools/gpu"


def test_pools_are_listed_with_what_is_up(service: AnsweringService, shell: Shell) -> None:
    warned = [{"code": "leak", "detail": "x"}]
    service.on(
        "GET",
        "/v1/pools",
        wire.page(
            wire.a_pool(),
            wire.a_pool(name="gpu", paused=True, limited_by="paused"),
            wire.a_pool(name="old", limited_by="max-size"),
            wire.a_pool(name="odd", warnings=warned),
        ),
    )
    lines = shell.run("pools").stdout.splitlines()

    assert [re.split(r"  +", line)[-1] for line in lines] == [
        "STATE",
        "ok",
        "paused",
        "limited by max-size",
        "warnings",
    ]


def test_what_is_on_hold_stands_beside_what_is_idle(service: AnsweringService, shell: Shell) -> None:
    counts = {"booting": 1, "idle": 0, "allocated": 2, "terminating": 0, "held": 5}
    service.on("GET", "/v1/pools", wire.page(wire.a_pool(instances=counts)))
    heading, line = shell.run("pools").stdout.splitlines()

    assert heading.split()[3:8] == ["IDLE", "BUFFER", "ALLOCATED", "BOOTING", "HELD"]
    assert line.split()[3:8] == ["0", "5", "2", "1", "5"]


def test_how_long_things_take_and_last_is_listed(service: AnsweringService, shell: Shell) -> None:
    measured = wire.a_pool(launch_seconds=95, default_ttl=3600, idle_timeout=None)
    service.on("GET", "/v1/pools", wire.page(measured))
    heading, line = shell.run("pools").stdout.splitlines()

    assert re.split(r"  +", heading)[8:] == ["LAUNCH", "TTL", "IDLE TIMEOUT", "STATE"]
    assert re.split(r"  +", line)[8:] == ["1m35s", "1h", "-", "ok"]


def test_buffer_alone_tells_and_changes_nothing(service: AnsweringService, shell: Shell) -> None:
    assert shell.run("buffer").stdout == "Pool default keeps 5 idle instances ready.\n"
    assert [asked.method for asked in service.asked] == ["GET"]


@pytest.mark.parametrize(("arguments", "sent"), [(("8",), 8), (("0",), 0), (("--reset",), None)])
def test_the_buffer_is_set(
    service: AnsweringService, shell: Shell, arguments: tuple[str, ...], sent: int | None
) -> None:
    service.on("PATCH", GPU, Says(200, wire.a_pool(name="gpu", buffer=8, configured_buffer=2)))
    result = shell.run("buffer", *arguments, "--pool", "gpu")

    assert service.asked[0].body == {"buffer": sent}
    assert result.stdout == "Pool gpu keeps 8 idle instances ready (the settings say 2).\n"


def test_a_buffer_that_cannot_be_met_is_told_beside_the_answer(
    service: AnsweringService, shell: Shell
) -> None:
    service.on("PATCH", DEFAULT, Says(200, wire.a_pool(limited_by="max-size")))
    result = shell.run("buffer", "8")

    assert result.exit_code == 0
    assert result.stderr == "At the moment it cannot: limited by max-size. Why: ec2-orchestrator status\n"


def test_pause_says_what_it_means_and_how_to_go_on(service: AnsweringService, shell: Shell) -> None:
    service.on("PATCH", GPU, Says(200, wire.a_pool(name="gpu", paused=True)))
    told = shell.run("pause", "--pool", "gpu").stdout

    assert service.asked[0].body == {"paused": True}
    assert "Pool gpu is paused: nothing is launched, replaced or terminated at AWS.\n" in told
    assert "Projects still get what is idle" in told
    assert told.endswith("To go on: ec2-orchestrator resume --pool gpu\n")


def test_resume_resumes(service: AnsweringService, shell: Shell) -> None:
    service.on("PATCH", DEFAULT, Says(200, wire.a_pool()))

    assert shell.run("resume").stdout == "Pool default is looked after again.\n"
    assert service.asked[0].body == {"paused": False}


def test_all_means_every_pool_there_is(service: AnsweringService, shell: Shell) -> None:
    service.on("PATCH", DEFAULT, Says(200, wire.a_pool(paused=True)))
    service.on("PATCH", GPU, Says(200, wire.a_pool(name="gpu", paused=True)))
    told = shell.run("pause", "--all").stdout

    assert [asked.path for asked in service.asked if asked.method == "PATCH"] == [DEFAULT, GPU]
    assert told.endswith("To go on: ec2-orchestrator resume --all\n")
