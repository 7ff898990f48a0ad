"""What must not run does not start: it says why in a sentence, exits with a failure, and changes nothing."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.registry.database import open_database
from tests.e2e.processes import DEADLINE, ROOT, Service, a_free_port, environment

GUNICORN = ("-m", "gunicorn", "wsgi:app")
SCHEDULER = ("scheduler.py",)
BAD_SETTINGS = {
    "AWS_ACCESS_KEY": "half-of-a-pair",
    "ORCHESTRATOR_BUFFER": "many",
    "ORCHESTRATOR_POLL_INTERVAL": "0",
    "ORCHESTRATOR_AUTH": "perhaps",
}


@dataclass(frozen=True)
class Refused:
    """How a start ended."""

    code: int
    output: str
    errors: str


def refusal(*command: str, **settings: str) -> Refused:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment({"ORCHESTRATOR_BIND": f"127.0.0.1:{a_free_port()}", **settings}),
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=False,
    )
    return Refused(done.returncode, done.stdout, done.stderr)


def a_folder(path: Path) -> str:
    path.mkdir()
    return f"sqlite:///{path}"


def no_database(path: Path) -> str:
    path.write_bytes(b"Dear diary, today I was no database.\n" * 100)
    return f"sqlite:///{path}"


def read_only(path: Path) -> str:
    open_database(f"sqlite:///{path}").dispose()
    return f"sqlite:///file:{path}?mode=ro&uri=true"


def from_a_newer_version(path: Path) -> str:
    open_database(f"sqlite:///{path}").dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE compatibility SET oldest = '9999'")
    connection.close()
    return f"sqlite:///{path}"


DATABASES: dict[Callable[[Path], str], str] = {
    a_folder: "unable to open database file",
    no_database: "file is not a database",
    read_only: "readonly database",
    from_a_newer_version: "from a newer version of this service (schema 9999)",
}


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def refused_database(command: tuple[str, ...], make: Callable[[Path], str], path: Path) -> Refused:
    """Try to start on this database, which must look the same afterwards."""
    url = make(path)
    before = content(path)
    refused = refusal(*command, ORCHESTRATOR_DATABASE_URL=url)
    assert content(path) == before
    return refused


def bad_settings(*command: str) -> Refused:
    return refusal(*command, **BAD_SETTINGS)


def preloading(command: tuple[str, ...], path: Path) -> Refused:
    """It has opened the database by then."""
    return refusal(*command, "--preload", ORCHESTRATOR_DATABASE_URL=f"sqlite:///{path}")


def an_open_door(path: Path, **settings: str) -> Refused:
    """Whether there are tokens is known from the database alone."""
    return refusal(*GUNICORN, ORCHESTRATOR_DATABASE_URL=f"sqlite:///{path}", **settings)


Starts = dict[str, "Future[Refused]"]


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starts]:
    """All that must be refused, tried two at a time: each takes a second or two."""
    with ThreadPoolExecutor(2) as threads:
        yield {
            **{
                make.__name__: threads.submit(
                    refused_database, GUNICORN, make, tmp_path_factory.mktemp("database") / "registry.db"
                )
                for make in DATABASES
            },
            "scheduler": threads.submit(
                refused_database, SCHEDULER, no_database, tmp_path_factory.mktemp("database") / "registry.db"
            ),
            "settings": threads.submit(bad_settings, *GUNICORN),
            "scheduler settings": threads.submit(bad_settings, *SCHEDULER),
            "door": threads.submit(
                an_open_door,
                tmp_path_factory.mktemp("database") / "registry.db",
                ORCHESTRATOR_BIND=f"0.0.0.0:{a_free_port()}",
            ),
            "closed door": threads.submit(
                an_open_door, tmp_path_factory.mktemp("database") / "registry.db", ORCHESTRATOR_AUTH="on"
            ),
            "forwarded": threads.submit(refusal, *GUNICORN, "--forwarded-allow-ips", "*"),
            "bind": threads.submit(refusal, *GUNICORN, "--bind", "0.0.0.0:0"),
            "threads": threads.submit(refusal, *GUNICORN, "--threads", "9"),
            "preload": threads.submit(
                preloading, GUNICORN, tmp_path_factory.mktemp("database") / "registry.db"
            ),
        }


@pytest.mark.parametrize("make", DATABASES)
def test_a_database_that_cannot_be_used_is_refused_in_a_sentence_and_left_alone(
    make: Callable[[Path], str], starts: Starts
) -> None:
    refused = starts[make.__name__].result()
    assert refused.code != 0
    assert refused.errors.startswith("The database cannot be used.\n")
    assert DATABASES[make] in refused.errors
    assert len(refused.errors.splitlines()) == 2


def test_the_scheduler_refuses_a_database_in_the_same_words(starts: Starts) -> None:
    refused = starts["scheduler"].result()
    assert refused.code != 0
    assert refused.errors.startswith("The database cannot be used.\n")
    assert DATABASES[no_database] in refused.errors
    assert len(refused.errors.splitlines()) == 2


@pytest.mark.parametrize("program", ["settings", "scheduler settings"])
def test_bad_settings_are_told_all_at_once(program: str, starts: Starts) -> None:
    refused = starts[program].result()
    assert refused.code != 0
    assert refused.errors.startswith("The settings are not valid.\n")
    assert all(name in refused.errors for name in BAD_SETTINGS)
    assert len(refused.errors.splitlines()) == 1 + len(BAD_SETTINGS)


def test_an_open_door_to_others_is_refused_without_a_token(starts: Starts) -> None:
    refused = starts["door"].result()
    assert refused.code != 0
    assert "set ORCHESTRATOR_ADMIN_TOKEN, or ORCHESTRATOR_AUTH=off" in refused.errors
    assert "ec2-orchestrator token create" in refused.errors
    assert len(refused.errors.splitlines()) == 2


def test_a_door_that_nobody_could_enter_by_is_refused(starts: Starts) -> None:
    refused = starts["closed door"].result()
    assert refused.code != 0
    assert "ORCHESTRATOR_AUTH=on needs a token" in refused.errors
    assert len(refused.errors.splitlines()) == 2


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("bind", "Set the address with ORCHESTRATOR_BIND, not with --bind"),
        ("forwarded", "Say with ORCHESTRATOR_PROXY_HOPS how many proxies"),
        ("threads", "Set the number of threads with ORCHESTRATOR_THREADS"),
        ("preload", "--preload is not supported"),
    ],
)
def test_an_option_that_would_weaken_the_service_is_refused(option: str, says: str, starts: Starts) -> None:
    refused = starts[option].result()
    assert refused.code != 0
    assert refused.errors.startswith(says)
    assert len(refused.errors.splitlines()) == 1


def test_a_worker_that_must_not_use_the_database_any_more_ends_gunicorn(tmp_path: Path) -> None:
    """Or it would be started again and again, with nobody to answer a health check."""
    file = tmp_path / "registry.db"
    with Service(file, {"ORCHESTRATOR_POLLER": "off"}) as service:
        service.start()
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.execute("UPDATE compatibility SET oldest = '9999'")
        connection.close()
        os.kill(int(service.status()["replica"].split(":")[1]), signal.SIGKILL)

        assert service.program.exit_code() != 0
        assert "from a newer version of this service (schema 9999)" in service.program.said
