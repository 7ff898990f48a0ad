"""Real processes: the service under gunicorn, the scheduler, the trial; what they answer and say."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any, Self

import httpx

from tests.ports import a_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
DEADLINE = 30.0
"""Seconds for what takes one or two on an idle machine: starting, stopping, booting instances."""


_ports = ExitStack()
"""What is given out stays so until the tests end: a service starts some seconds later, or once more."""


def a_free_port() -> int:
    """Return a port that is given to nobody else, neither in this process nor in any other."""
    return _ports.enter_context(a_port(HOST))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, without what could lead to a real account or change the service."""
    ours = ("AWS_", "ORCHESTRATOR_", "GUNICORN_", "PROMETHEUS_", "WEB_CONCURRENCY", "FORCE_COLOR", "NO_COLOR")
    kept = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - a child process needs PATH and the like
        if not name.startswith(ours) and not name.lower().endswith("_proxy")
    }
    return {**kept, "ORCHESTRATOR_ENV_FILE": "", **settings}


class Program:
    """One program of the repository, as a process in a session of its own.

    Its output is read through pipes, which its children inherit: the pipes end when the last of them does.
    """

    def __init__(self, *command: str, settings: Mapping[str, str], folder: Path = ROOT) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout
        assert self._process.stderr
        self.output: list[str] = []
        self.errors: list[str] = []
        self._logs: list[dict[str, Any]] = []
        self._readers = [
            _reader(self._process.stdout, self.output),
            _reader(self._process.stderr, self.errors),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running or not self.nobody_left:
            with suppress(ProcessLookupError):  # it has ended by itself, a moment ago
                self.kill9()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def nobody_left(self) -> bool:
        """Neither the process nor any child of it runs."""
        return not any(reader.is_alive() for reader in self._readers)

    @property
    def said(self) -> str:
        return "\n".join([*self.output, *self.errors])

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The lines of standard output; each must be JSON."""
        self._logs.extend(json.loads(line) for line in self.output[len(self._logs) :])
        return self._logs

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def exit_code(self, within: float = DEADLINE) -> int:
        """Wait for the process and all its children; the code of the process."""
        code = self._process.wait(timeout=within)
        until(lambda: self.nobody_left, within=within, what="every process of it to end")
        return code

    def kill9(self) -> None:
        """End the process and its children with no chance to say goodbye."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        until(lambda: self.nobody_left, within=DEADLINE, what="the killed processes to end")


class Service:
    """One installation: a database, a port, settings; started and ended as often as one likes.

    A context manager: what was started in the block is ended with it.
    """

    def __init__(self, database: Path, settings: Mapping[str, str]) -> None:
        self.port = a_free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.settings = {
            "ORCHESTRATOR_BIND": f"{HOST}:{self.port}",
            "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{database}",
            "ORCHESTRATOR_LOG_FORMAT": "json",
            **settings,
        }
        self._runs: list[Program] = []
        self.http = httpx.Client(trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.kill9()
        self.http.close()

    @property
    def running(self) -> bool:
        return bool(self._runs) and self.program.running

    @property
    def program(self) -> Program:
        return self._runs[-1]

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Every line of every run."""
        return [line for run in self._runs for line in run.logs]

    @property
    def passes(self) -> list[dict[str, Any]]:
        return [line for line in self.logs if line["event"] == "pass.finished"]

    def start(self) -> None:
        """Return when it answers."""
        self.launch()
        self.await_answer()

    def launch(self) -> None:
        """Start it, and return at once."""
        self._runs.append(Program("-m", "gunicorn", "wsgi:app", settings=self.settings))

    def await_answer(self) -> None:
        self.http.close()  # no connection to a killed process is left to stumble over
        self.http = httpx.Client(base_url=self.url, timeout=DEADLINE, trust_env=False)
        until(self._answers, within=DEADLINE, what=f"the service to answer: {self.program.said}")

    def kill9(self) -> None:
        self.program.kill9()

    def terminate(self) -> int:
        """Ask it to end; the exit code, once no process of it is left."""
        self.http.close()  # it would wait a moment for what a client may still send on an open connection
        self.program.signal(signal.SIGTERM)
        return self.program.exit_code()

    def get(self, project: str) -> httpx.Response:
        return self.http.get(f"/{project}")

    def allocate(self, project: str) -> dict[str, str]:
        """The instance of a project that must get one."""
        answer = self.get(project)
        assert answer.status_code == 200, answer.text
        allocation: dict[str, str] = answer.json()
        return allocation

    def destroy(self, machine: str) -> httpx.Response:
        return self.http.post("/destroy", json={"machineId": machine})

    def status(self) -> dict[str, Any]:
        answer = self.http.get("/status")
        assert answer.status_code == 200, answer.text
        status: dict[str, Any] = answer.json()
        return status

    def machines(self, state: str | None = None) -> dict[str, dict[str, Any]]:
        """What /status lists, by id."""
        found = self.status()["machines"]
        return {machine["machineId"]: machine for machine in found if state in {None, machine["state"]}}

    def holders(self) -> dict[str, str]:
        """The machine of each project that holds one."""
        used = self.machines("allocated").values()
        return {machine["assignedProject"]: machine["machineId"] for machine in used}

    def settled(self, idle: int = 5, *, used: int | None = None, within: float = DEADLINE) -> dict[str, Any]:
        """The status, once so many are idle and nothing is on its way in or out."""
        status: dict[str, Any] = {}

        def at_rest() -> bool:
            status.update(self.status())
            moving = status["bootingMachines"] + status["terminatingMachines"]
            return status["idleMachines"] == idle and not moving and used in {None, status["usedMachines"]}

        try:
            until(at_rest, within=within, every=0.25)  # a look costs work, which it would rather do
        except AssertionError:
            status.pop("machines", None)
            raise AssertionError(f"wanted {idle} idle, {used} used, none moving; found {status}") from None
        return status

    def _answers(self) -> bool:
        if not self.program.running:
            raise AssertionError(f"it ended by itself: {self.program.said}")
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False


def _reader(pipe: IO[str], lines: list[str]) -> Thread:
    def read() -> None:
        with pipe:
            lines.extend(line.rstrip("\n") for line in pipe)

    thread = Thread(target=read, daemon=True)
    thread.start()
    return thread
