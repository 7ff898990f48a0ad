"""The commands that talk to a running service, in pipes and at a terminal, over the simulated cloud."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.client import Client, Refused
from tests.e2e.aws import Aws
from tests.e2e.processes import DEADLINE, ROOT, Service, environment
from tests.e2e.terminal import Terminal
from tests.waiting import until

PROGRAM = ("-m", "app.cli")
BUFFER = 2


@pytest.fixture(scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {"ORCHESTRATOR_POLL_INTERVAL": "1", "ORCHESTRATOR_BUFFER": str(BUFFER)}
    with Aws() as cloud:
        database = tmp_path_factory.mktemp("database") / "registry.db"
        with Service(database, {**cloud.settings, **settings}) as running:
            running.start()
            yield running
            running.terminate()


@pytest.fixture
def service(_service: Service) -> Iterator[Service]:
    """A service at rest, with nobody on it."""
    with Client(_service.url) as client:
        until(lambda: _has_no_surplus(client), within=DEADLINE)
    _service.settled(BUFFER, used=0)
    yield _service
    with Client(_service.url) as client:
        client.change_pool(paused=False, buffer="configured")
        for held in list(client.allocations()):
            client.release(held.project)


def _has_no_surplus(client: Client) -> bool:
    """End what a demand that gave up has left: the service keeps it, and the next test counts."""
    idle = list(client.instances(state="idle"))
    for surplus in idle[BUFFER:]:
        client.destroy(surplus.id)
    status = client.status()
    moving = status.booting_machines + status.terminating_machines + status.used_machines
    return len(idle) == BUFFER and not moving


def run(service: Service, *arguments: str, code: int = 0) -> str:
    """What a command prints in a pipe."""
    done = subprocess.run(
        [sys.executable, *PROGRAM, *arguments],
        cwd=ROOT,
        env=environment({"ORCHESTRATOR_URL": service.url}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    return done.stdout if code == 0 else done.stderr


def answer(service: Service, *arguments: str) -> Any:
    return json.loads(run(service, *arguments, "--json"))


def terminal(service: Service, *arguments: str, columns: int = 80, **settings: str) -> Terminal:
    return Terminal(
        *PROGRAM, *arguments, settings={"ORCHESTRATOR_URL": service.url, **settings}, columns=columns
    )


# in a pipe


def test_an_allocation_lives_from_allocate_to_release(service: Service) -> None:
    url = run(service, "allocate", "my-project", "--wait", "20", "--ttl", "2h").strip()
    assert httpx.get(f"{url}/healthz", timeout=DEADLINE, trust_env=False).status_code == 200

    (held,) = answer(service, "allocations")
    assert (held["project"], held["url"]) == ("my-project", url)
    assert run(service, "allocate", "my-project").strip() == url
    assert answer(service, "renew", "my-project", "--ttl", "none")["expiresAt"] is None

    assert answer(service, "release", "my-project")["state"] == "terminating"
    assert "holds no instance" in run(service, "release", "my-project", code=1)
    told = answer(service, "events", "--project", "my-project", "--limit", "4")
    assert [event["kind"] for event in told] == [
        "allocation.created",
        "allocation.renewed",
        "allocation.ended",
        "instance.terminating",
    ]


def test_what_must_be_confirmed_is_confirmed(service: Service) -> None:
    run(service, "allocate", "my-project", "--wait", "20", "--confirm-within", "5m")
    (held,) = answer(service, "allocations")

    assert held["confirmBy"] is not None
    assert answer(service, "confirm", "my-project")["confirmBy"] is None


def test_status_in_json_is_what_the_service_answers(service: Service) -> None:
    told, asked = answer(service, "status"), service.status()

    assert told.keys() == asked.keys()
    assert [pool["name"] for pool in told["pools"]] == ["default"]
    for status in (told, asked):
        for passing in ("lastPassAt", "lastPassAgeSeconds", "pools"):
            del status[passing]
        for machine in status["machines"]:
            del machine["readyAt"]  # each probe moves it
    assert told == asked


def test_a_pause_is_told_survives_a_restart_and_leaves_claims_alone(service: Service) -> None:
    assert "To go on: ec2-orchestrator resume" in run(service, "pause")
    service.kill9()
    service.start()

    assert answer(service, "status")["limitedBy"] == "paused"
    assert "PAUSED    Paused by anonymous" in run(service, "status")
    assert run(service, "allocate", "my-project", "--wait", "20").startswith("http://")
    run(service, "release", "my-project")
    assert service.status()["desiredCapacity"] == BUFFER

    assert run(service, "resume") == "Pool default is looked after again.\n"
    service.settled(BUFFER, used=0)


def test_a_buffer_that_is_set_is_filled(service: Service) -> None:
    assert (
        run(service, "buffer", "3")
        == f"Pool default keeps 3 idle instances ready (the settings say {BUFFER}).\n"
    )
    service.settled(3)

    with Client(service.url) as client:
        pool = client.pool()
        client.change_pool(buffer=4, expect=pool.etag)
        with pytest.raises(Refused) as refused:
            client.change_pool(buffer=9, expect=pool.etag)
    assert refused.value.code == "version-changed"

    run(service, "buffer", "--reset")
    for instance in answer(service, "instances")[BUFFER:]:
        run(service, "destroy", instance["id"])


def test_an_instance_that_is_held_is_not_handed_out(service: Service) -> None:
    one, other = (instance["id"] for instance in answer(service, "instances"))
    run(service, "hold", one, "--reason", "to look at")

    assert answer(service, "allocate", "my-project")["instance"] == other
    assert "held for:   to look at\n" in run(service, "instances", one)

    assert answer(service, "unhold", one)["hold"] is None
    run(service, "destroy", one)


def test_what_the_service_refuses_is_one_line(service: Service) -> None:
    for arguments in (
        ("allocate", "status"),
        ("destroy", "i-1"),
        ("release", "nobody"),
        ("buffer", "--pool", "x"),
    ):
        refusal = run(service, *arguments, code=1)
        assert refusal.startswith("Error: ")
        assert len(refusal.splitlines()) == 1


# at a terminal


@pytest.mark.parametrize("columns", [100, 80, 40])
def test_at_a_terminal_status_is_coloured_and_stays_within_it(service: Service, columns: int) -> None:
    with terminal(service, "status", columns=columns) as screen:
        assert screen.exit_code() == 0

    assert "\x1b[32midle" in screen.raw
    assert [line for line in screen.text.splitlines() if len(line) > columns] == []
    assert all(instance["id"] in screen.text for instance in answer(service, "instances"))


def test_no_color_is_minded(service: Service) -> None:
    with terminal(service, "status", NO_COLOR="1") as screen:
        assert screen.exit_code() == 0

    assert "\x1b[3" not in screen.raw


def test_watch_is_live_outlives_the_service_and_ends_with_ctrl_c(service: Service) -> None:
    with terminal(service, "watch") as screen:
        screen.shows("Ctrl-C ends it")
        project = service.allocate("my-project")["projectId"]
        screen.shows(project)
        service.kill9()
        screen.shows("AWAY")
        service.start()
        run(service, "allocate", "another-one", "--wait", "20")
        screen.shows("another-one")
        screen.ctrl_c()

        assert screen.exit_code() == 0
        assert "Traceback" not in screen.text
        assert screen.raw.endswith("\x1b[?1049l")


def test_a_person_who_waits_sees_for_how_long_and_why(service: Service) -> None:
    run(service, "pause")
    for number in range(BUFFER):
        run(service, "allocate", f"project-{number}", "--wait", "20")
    with terminal(service, "allocate", "my-project", "--wait", "60") as screen:
        screen.shows("Waiting for an instance for my-project, ")
        screen.shows("limited by paused")
        run(service, "resume")

        assert screen.exit_code() == 0
        assert screen.text.rstrip().splitlines()[-1].startswith("http://")


def test_a_person_who_gives_up_leaves_no_place_in_line(service: Service) -> None:
    run(service, "pause")
    for number in range(BUFFER):
        run(service, "allocate", f"project-{number}", "--wait", "20")
    with terminal(service, "allocate", "my-project", "--wait", "60") as screen:
        screen.shows("Waiting for an instance for my-project, ")
        until(lambda: service.status()["waitingProjects"] == 1, within=DEADLINE)
        screen.ctrl_c()
        assert screen.exit_code() == 1

    # Who was refused, and has not hung up, counts for half a minute.
    until(lambda: service.status()["waitingProjects"] == 0, within=15)


def test_a_person_is_asked_before_something_is_lost(service: Service) -> None:
    held = service.allocate("my-project")["machineId"]
    with terminal(service, "release", "my-project") as screen:
        screen.shows("Release it? [y/N]:")
        screen.type("n\n")
        assert screen.exit_code() == 1
    assert service.holders() == {"my-project": held}

    with terminal(service, "destroy", held) as screen:
        screen.shows(f"my-project holds {held}")
        screen.shows("Terminate it? [y/N]:")
        screen.type("y\n")
        assert screen.exit_code() == 0
    assert service.holders() == {}
