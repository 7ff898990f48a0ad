"""`python -m app.simulator` as a program: what it prints, refuses, and leaves behind."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.integration.simulator.account import WEB
from tests.networks import a_network
from tests.waiting import until

PROGRAM = (sys.executable, "-m", "app.simulator")


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the program until the block ends; give the process and its first line."""
    process = subprocess.Popen(
        [*PROGRAM, "--bind", "127.0.0.1:0", "--network", a_network(), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()
            process.wait()


def refused(*options: str) -> tuple[int, str]:
    done = subprocess.run([*PROGRAM, *options], capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_every_worker_with_it(number: signal.Signals) -> None:
    with running("--desired", "1", "--boot-seconds", "0") as (process, line):
        assert line.startswith("Simulated cloud ready on http://127.0.0.1:")
        assert "group vscode-asg" in line
        url = re.findall(r"http://\S+", line)[0]

        def worker() -> str | None:
            instances = WEB.get(f"{url}/_cloud/state").json()["instances"]
            return next(
                (f"http://{one['address']}:{one['port']}" for one in instances if one["worker"] == "up"), None
            )

        page = until(worker, what="the worker is up")
        assert WEB.get(str(page)).status_code == 200
        process.send_signal(number)
        assert process.wait(60) == 0
        with pytest.raises(httpx.ConnectError):
            WEB.get(str(page))
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    "option",
    [("--bind", "0.0.0.0:9093"), ("--network", "10.0.0.0/16"), ("--min", "5"), ("--bind", "nowhere")],
)
def test_what_cannot_be_is_refused_in_one_line(option: tuple[str, str]) -> None:
    code, said = refused(*option)
    assert code == 2
    assert said.count("\n") == 1
    assert said.startswith("simulated cloud: ")


def test_a_busy_port_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = refused("--bind", f"127.0.0.1:{port}")
    assert code == 1
    assert said == f"simulated cloud: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_it_can_hold_several_groups() -> None:
    with running("--group", "vscode-asg", "--group", "gpu-asg", "--worker", "none") as (_, line):
        assert "group vscode-asg, gpu-asg region us-east-1" in line
        url = re.findall(r"http://\S+", line)[0]

        groups = WEB.get(f"{url}/_cloud/state").json()["groups"]

    assert [group["name"] for group in groups] == ["vscode-asg", "gpu-asg"]


def test_two_groups_of_one_name_are_refused() -> None:
    assert refused("--group", "one", "--group", "one") == (
        2,
        "simulated cloud: two groups of one name cannot be\n",
    )
