"""`make run`: the simulated cloud and the real service together, for somebody who has ten minutes.

Nothing of the caller's AWS set-up reaches either process, so a trial can never touch a real account.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from threading import Event

import urllib3

HOST = "127.0.0.1"
START_WITHIN = 60.0
DEFAULT_BUFFER = 5
OURS = "ORCHESTRATOR_"
IGNORED = frozenset(
    f"{OURS}{name}"
    for name in (
        *("ASG_NAME", "POOLS_FILE", "BIND", "METRICS_BIND", "DATABASE_URL", "ENV_FILE", "POLLER"),
        *("ADDRESS", "INSTANCE_PORT", "READINESS_PATH"),
        *("AUTH", "ADMIN_TOKEN", "PROXY_HOPS"),
    )
)
"""Of our settings, those that a trial makes itself, or that its cloud or its own questions do not fit."""
NO_SETTINGS = frozenset({f"{OURS}URL", f"{OURS}TOKEN"})
"""They are for the command line, which the service is not."""

stop = Event()
"""Set when somebody wants the trial to end."""

NEXT_STEPS = """
  EC2 Orchestrator is ready: {idle} idle instances wait for a project.
  Everything here is simulated: no AWS account is used. Ctrl-C stops it all.

  Try this in a second terminal:

    curl {url}/my-project          take an instance for a project, then open the url that comes back
    curl {url}/my-project          the same project gets the same instance again
    curl {url}/status              the buffer fills up again within seconds
    curl {url}/destroy -H 'Content-Type: application/json' -d '{{"machineId": "i-..."}}'
                                            end that instance

  Or open {url} in a browser: the dashboard shows it all, and does it, too.

  The lines below are the service's log: one for each request, one for each pass of the poller.
"""


def main() -> None:
    """Run both until Ctrl-C, and leave no process behind."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    for port, option in ((options.port, "PORT"), (options.cloud_port, "CLOUD_PORT")):
        if _taken(port):
            sys.exit(
                f"Port {port} of {HOST} is in use: end what holds it, or choose another with {option}=..."
            )
    home = Path("var/trial") / str(options.port)
    shutil.rmtree(
        home, ignore_errors=True
    )  # its cloud is gone since the last trial, so nothing in it is true
    for line in _told(os.environ):
        print(line, flush=True)
    children: list[subprocess.Popen[bytes]] = []
    try:
        problem = _run(options, home, children)
    finally:
        print("\nStopping: the pass in hand is finished first ...", flush=True)
        for child in reversed(children):
            _end(child)
    sys.exit(problem)


def _run(options: argparse.Namespace, home: Path, children: list[subprocess.Popen[bytes]]) -> str | None:
    """Start both, and return when one has ended or somebody wants so: what went wrong, or None."""
    buffer = _buffer(os.environ)
    cloud, service = f"http://{HOST}:{options.cloud_port}", f"http://{HOST}:{options.port}"
    print("Starting the simulated cloud ...", flush=True)
    simulator = [
        *(sys.executable, "-m", "app.simulator", "--bind", f"{HOST}:{options.cloud_port}"),
        *("--max", str(max(20, 4 * buffer)), "--worker", options.worker),
    ]
    children.append(_start(simulator, _quiet(os.environ)))
    if problem := _wait(lambda: _get(f"{cloud}/_cloud/healthz") is not None, children):
        return problem
    print("Starting the orchestrator ...", flush=True)
    gunicorn = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    children.append(_start(gunicorn, _service_environment(os.environ, cloud, options.port, home)))
    if problem := _wait(lambda: _get(f"{service}/healthz") is not None, children):
        return problem
    print(f"Filling the buffer: {buffer} instances boot ...", flush=True)
    if problem := _wait(lambda: _idle(service) >= buffer, children, look_every=1.0):
        return problem
    if not stop.is_set():
        print(NEXT_STEPS.format(idle=buffer, url=f"http://localhost:{options.port}"), flush=True)
    while not stop.wait(0.2):
        if any(child.poll() is not None for child in children):
            return "One of the two processes ended by itself: see above."
    return None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=int, default=9092, help="where the service listens")
    parser.add_argument("--cloud-port", type=int, default=9093, help="where the simulated cloud listens")
    parser.add_argument("--worker", choices=("page", "code-server"), default="page")
    return parser.parse_args()


def _buffer(environment: Mapping[str, str]) -> int:
    text = environment.get("ORCHESTRATOR_BUFFER") or str(DEFAULT_BUFFER)
    if not text.isdecimal() or not 0 < int(text) <= 100:  # noqa: PLR2004 - one machine plays them all
        sys.exit(f"ORCHESTRATOR_BUFFER={text!r}: a trial takes a number from 1 to 100.")
    return int(text)


def _told(environment: Mapping[str, str]) -> Iterator[str]:
    """Say which settings of the caller's hold in the trial, and which do not; no values: some are secrets."""
    given = sorted(
        {name.upper() for name, value in environment.items() if value and name.upper().startswith(OURS)}
        - NO_SETTINGS
    )
    taken = [name for name in given if name not in IGNORED]
    ignored = [name for name in given if name in IGNORED]
    if taken:
        yield f"Your settings: {', '.join(taken)}."
    if ignored:
        yield f"Ignored, since a trial has its own: {', '.join(ignored)}."


def _quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out all that could lead to a real AWS account, or to another set-up."""
    kept = {
        name: value
        for name, value in environment.items()
        if name.upper() not in IGNORED | NO_SETTINGS
        and not name.upper().startswith(("AWS_", "GUNICORN_"))
        and not name.upper().endswith("_PROXY")
    }
    return {**kept, "no_proxy": "*"}


def _service_environment(environment: Mapping[str, str], cloud: str, port: int, home: Path) -> dict[str, str]:
    return {
        **_quiet(environment),
        "AWS_ACCESS_KEY": "simulated",
        "AWS_SECRET_KEY": "simulated",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": cloud,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "ORCHESTRATOR_ENV_FILE": "",  # a .env is for the real service
        "ORCHESTRATOR_ASG_NAME": "vscode-asg",
        "ORCHESTRATOR_BIND": f"{HOST}:{port}",
        "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{home}/orchestrator.db",
    }


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C then reaches this process alone, which stops the others in order.
    return subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603 - our own programs


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(timeout=15)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _wait(
    ready: Callable[[], bool], children: Sequence[subprocess.Popen[bytes]], look_every: float = 0.2
) -> str | None:
    """Return when it is ready or somebody wants to stop; otherwise say what is wrong."""
    deadline = time.monotonic() + START_WITHIN
    while not stop.is_set() and not ready():
        if any(child.poll() is not None for child in children):
            return "It did not start: see above."
        if time.monotonic() > deadline:
            return f"It was not ready within {START_WITHIN:.0f} seconds: see above."
        stop.wait(look_every)
    return None


def _get(url: str) -> urllib3.BaseHTTPResponse | None:
    try:
        answer = urllib3.request("GET", url, timeout=2, retries=False)
    except urllib3.exceptions.HTTPError:
        return None
    return answer if answer.status == HTTPStatus.OK else None


def _idle(service: str) -> int:
    answer = _get(f"{service}/status")
    return -1 if answer is None else int(answer.json()["idleMachines"])


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


if __name__ == "__main__":
    main()
