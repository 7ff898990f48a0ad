"""`make run`, that is `python -m app.simulator.trial`: ready in one go, and gone without a trace.

It runs in a folder of its own: a trial begins by removing the database of the one before.
"""

import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import DEADLINE, HOST, ROOT, Program, a_free_port, listens
from tests.waiting import until

READY = "EC2 Orchestrator is ready: 5 idle instances"
SETTINGS = {
    "ORCHESTRATOR_DEFAULT_TTL": "3600",
    "ORCHESTRATOR_CONFIRM_WITHIN": "600",
    "ORCHESTRATOR_WEBHOOK_URL": "http://127.0.0.1:9/",
    "ORCHESTRATOR_WEBHOOK_SECRET": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
    "ORCHESTRATOR_THREADS": "",
    "ORCHESTRATOR_TOKEN": "a-token-of-the-command-line",
    "ORCHESTRATOR_BIND": "0.0.0.0:80",
    "ORCHESTRATOR_AUTH": "on",
    "ORCHESTRATOR_DATABASE_URL": "postgresql+psycopg://me:a-password@db.example/mine",
}
"""What somebody may have set, who also runs the real service."""


@dataclass(frozen=True)
class Trial:
    """A trial from its start to its end: what it said, and what a newcomer saw who did what it told."""

    port: int
    cloud_port: int
    said: str
    taken: dict[str, str]
    page: str
    again: dict[str, str]
    pool: dict[str, Any]
    messages: list[Any]
    destroyed: httpx.Response
    code: int


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a trial needs of the repository, and nothing that a running trial uses."""
    folder = tmp_path_factory.mktemp("trial")
    for name in ("app", "wsgi.py", "gunicorn.conf.py"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="module")
def trial(folder: Path) -> Iterator[Trial]:
    port, cloud_port = a_free_port(), a_free_port()
    with a_trial(folder, port, cloud_port) as program:
        until(
            lambda: READY in program.said or not program.running,
            within=2 * DEADLINE,
            what="the trial is ready",
        )
        assert program.running, program.said
        with httpx.Client(base_url=f"http://localhost:{port}", timeout=DEADLINE, trust_env=False) as http:
            taken = http.get("/my-project").json()
            page = http.get(taken["url"]).text
            again = http.get("/my-project").json()
            pool = http.get("/v1/pools/default").json()
            messages = http.get("/v1/webhooks").json()["items"]
            destroyed = http.post("/destroy", json={"machineId": taken["machineId"]})
        program.signal(signal.SIGINT)
        until(lambda: "Stopping" in program.said, what="its last words")
        program.signal(signal.SIGINT)  # an impatient second Ctrl-C
        code = program.exit_code(within=2 * DEADLINE)
        yield Trial(
            port=port,
            cloud_port=cloud_port,
            said=program.said,
            taken=taken,
            page=page,
            again=again,
            pool=pool,
            messages=messages,
            destroyed=destroyed,
            code=code,
        )


def a_trial(folder: Path, port: int, cloud_port: int) -> Program:
    ports = ("--port", str(port), "--cloud-port", str(cloud_port))
    return Program("-m", "app.simulator.trial", *ports, settings=SETTINGS, folder=folder)


def test_it_tells_what_to_try_next(trial: Trial) -> None:
    assert f"curl http://localhost:{trial.port}/my-project" in trial.said
    assert f"curl http://localhost:{trial.port}/status" in trial.said


def test_a_projects_url_opens_a_page(trial: Trial) -> None:
    assert trial.taken["machineId"] in trial.page


def test_the_same_project_gets_the_same_instance_again(trial: Trial) -> None:
    assert trial.again == trial.taken


def test_destroy_works_as_it_is_printed(trial: Trial) -> None:
    assert trial.destroyed.json()["state"] == "terminating"


def test_what_does_not_clash_with_a_trial_can_be_tried(trial: Trial) -> None:
    assert (trial.pool["defaultTtl"], trial.pool["confirmWithin"]) == (3600, 600)
    assert "allocation.created" in {message["type"] for message in trial.messages}


def test_it_says_which_settings_hold_and_which_do_not(trial: Trial) -> None:
    assert (
        "Your settings: ORCHESTRATOR_CONFIRM_WITHIN, ORCHESTRATOR_DEFAULT_TTL, ORCHESTRATOR_WEBHOOK_SECRET, "
        "ORCHESTRATOR_WEBHOOK_URL.\n"
    ) in trial.said
    ignored = "ORCHESTRATOR_AUTH, ORCHESTRATOR_BIND, ORCHESTRATOR_DATABASE_URL"
    assert f"Ignored, since a trial has its own: {ignored}.\n" in trial.said


def test_it_says_no_secret(trial: Trial) -> None:
    assert not [secret for secret in ("a-password", "whsec_", "a-token") if secret in trial.said]


def test_ctrl_c_ends_all_it_started_however_often_it_is_pressed(trial: Trial) -> None:
    """The trial waited for the pipes that all its processes hold: none is left."""
    assert trial.code == 0
    assert not listens(trial.port)
    assert not listens(trial.cloud_port)


def test_a_taken_port_gives_one_clear_line(folder: Path) -> None:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with a_trial(folder, port, a_free_port()) as program:
            assert program.exit_code() == 1
            assert program.errors == [
                f"Port {port} of {HOST} is in use: end what holds it, or choose another with PORT=..."
            ]
            assert program.output == []
