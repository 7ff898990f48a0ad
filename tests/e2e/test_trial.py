"""`make run`, that is `python -m app.simulator.trial`: ready in one go, and gone without a trace.

It runs in a folder of its own: a trial begins by removing the database of the one before.
"""

import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import DEADLINE, HOST, ROOT, Program, a_free_port, listens
from tests.waiting import until

READY = "EC2 Orchestrator is ready: 5 idle instances"


@dataclass(frozen=True)
class Trial:
    """A trial from its start to its end: what it said, and what a newcomer saw who did what it told."""

    port: int
    cloud_port: int
    said: str
    taken: dict[str, str]
    page: str
    again: dict[str, str]
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
            destroyed = http.post("/destroy", json={"machineId": taken["machineId"]})
        program.signal(signal.SIGINT)
        until(lambda: "Stopping" in program.said, what="its last words")
        program.signal(signal.SIGINT)  # an impatient second Ctrl-C
        code = program.exit_code()
        yield Trial(
            port=port,
            cloud_port=cloud_port,
            said=program.said,
            taken=taken,
            page=page,
            again=again,
            destroyed=destroyed,
            code=code,
        )


def a_trial(folder: Path, port: int, cloud_port: int) -> Program:
    ports = ("--port", str(port), "--cloud-port", str(cloud_port))
    return Program("-m", "app.simulator.trial", *ports, settings={}, folder=folder)


def test_it_tells_what_to_try_next(trial: Trial) -> None:
    assert f"curl http://localhost:{trial.port}/my-project" in trial.said
    assert f"curl http://localhost:{trial.port}/status" in trial.said


def test_a_projects_url_opens_a_page(trial: Trial) -> None:
    assert trial.taken["machineId"] in trial.page


def test_the_same_project_gets_the_same_instance_again(trial: Trial) -> None:
    assert trial.again == trial.taken


def test_destroy_works_as_it_is_printed(trial: Trial) -> None:
    assert trial.destroyed.json()["state"] == "terminating"


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
