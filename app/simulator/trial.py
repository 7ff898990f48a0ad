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
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import FrameType

import urllib3

HOST = "127.0.0.1"
HOME = Path("var/trial")
START_WITHIN = 60.0

NEXT_STEPS = """
  EC2 Orchestrator is ready: {idle} idle instances wait for a project.
  Everything here is simulated: no AWS account is used. Ctrl-C stops it all.

  Try this in a second terminal:

    curl {url}/my-project          take an instance for a project, then open the url that comes back
    curl {url}/my-project          the same project gets the same instance again
    curl {url}/status              the buffer fills up again within seconds
    curl {url}/destroy -H 'Content-Type: application/json' -d '{{"machineId": "i-..."}}'
                                            end that instance

  The lines below are the service's log: one for each request, one for each pass of the poller.
"""


class Stopped(Exception):
    """Somebody wants the trial to end."""


def main() -> None:
    """Run both until Ctrl-C, and leave no process behind."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    for port in (options.port, options.cloud_port):
        if _taken(port):
            sys.exit(
                f"Port {port} of {HOST} is in use: end what holds it, or choose another: make run PORT=9192"
            )
    shutil.rmtree(
        HOME, ignore_errors=True
    )  # its cloud is gone since the last trial, so nothing in it is true
    children: list[subprocess.Popen[bytes]] = []
    try:
        _run(options, children)
    except Stopped:
        print("\nStopping ...", flush=True)
    finally:
        for child in reversed(children):
            _end(child)


def _run(options: argparse.Namespace, children: list[subprocess.Popen[bytes]]) -> None:
    buffer = int(os.environ.get("ORCHESTRATOR_BUFFER") or 5)
    cloud, service = f"http://{HOST}:{options.cloud_port}", f"http://{HOST}:{options.port}"
    print("Starting the simulated cloud ...", flush=True)
    simulator = [sys.executable, "-m", "app.simulator", "--bind", f"{HOST}:{options.cloud_port}"]
    children.append(_start([*simulator, "--worker", options.worker], _quiet(os.environ)))
    _wait(lambda: _get(f"{cloud}/_cloud/healthz") is not None, children)
    print("Starting the orchestrator ...", flush=True)
    gunicorn = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    children.append(_start(gunicorn, _service_environment(os.environ, cloud, options.port)))
    _wait(lambda: _get(f"{service}/healthz") is not None, children)
    print(f"Filling the buffer: {buffer} instances boot ...", flush=True)
    _wait(lambda: _idle(service) >= buffer, children, look_every=1.0)
    print(NEXT_STEPS.format(idle=_idle(service), url=f"http://localhost:{options.port}"), flush=True)
    while all(child.poll() is None for child in children):
        time.sleep(0.2)
    raise SystemExit("One of the two processes ended by itself: see above.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=int, default=9092, help="where the service listens")
    parser.add_argument("--cloud-port", type=int, default=9093, help="where the simulated cloud listens")
    parser.add_argument("--worker", choices=("page", "code-server"), default="page")
    return parser.parse_args()


def _quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out all that could lead to a real AWS account."""
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}


def _service_environment(environment: Mapping[str, str], cloud: str, port: int) -> dict[str, str]:
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
        "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{HOME}/orchestrator.db",
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
) -> None:
    deadline = time.monotonic() + START_WITHIN
    while not ready():
        if any(child.poll() is not None for child in children):
            raise SystemExit("It did not start: see above.")
        if time.monotonic() > deadline:
            raise SystemExit(f"It was not ready within {START_WITHIN:.0f} seconds: see above.")
        time.sleep(look_every)


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


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    main()
