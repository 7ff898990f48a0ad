"""Fixtures that more than one folder of tests needs."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from app.registry.database import open_database
from tests import postgres
from tests.databases import a_registry_in, open_patiently

SHARED = ("_pools", "_open_to_all", "_guarded")
"""Fixtures that take seconds and serve several files."""

LONGEST = ("tests/e2e", "tests/browser", "tests/integration", "tests/property")
"""Where the files are that take long: begun first, so that no process is left alone with one at the end."""

WAITING = 2
"""As many processes more than there are cores, where their number is left to us: about so many just wait."""

settings.register_profile(
    "default",
    max_examples=50,
    stateful_step_count=30,
    derandomize=True,  # the same examples each time: new ones are looked for with the other profile
    deadline=None,  # a busy machine is no fault of ours
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile(
    "long",
    settings.get_profile("default"),
    max_examples=3000,
    stateful_step_count=60,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
settings.load_profile("default")  # or hypothesis has one of its own, wherever CI is set


def pytest_configure() -> None:
    """Let Ctrl-C end what tests start, also where the tests themselves were started to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Add to what `--numprocesses auto` finds, unless somebody has set it."""
    found = yield
    return found if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else found + WAITING  # noqa: TID251 - see xdist


@pytest.hookimpl(tryfirst=True)  # before the one of xdist, which reads the mark
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares an expensive fixture in one process, where there are several; LONGEST come first."""
    for item in items:
        used = getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group(next((one for one in SHARED if one in used), _file(item))))
    items.sort(key=_turn)


def _file(item: pytest.Item) -> str:
    return item.path.relative_to(item.config.rootpath).as_posix()


def _turn(item: pytest.Item) -> int:
    """When it is a folder's turn; within it the order stays."""
    return next((turn for turn, one in enumerate(LONGEST) if _file(item).startswith(one)), len(LONGEST))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.a_server() as url:
        yield url


@pytest.fixture
def a_postgres_database(postgres_server: str) -> Iterator[Callable[[], str]]:
    """Make empty databases; each call returns the SQLAlchemy URL of a new one."""
    with postgres.databases(postgres_server) as make:
        yield make


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: str) -> Iterator[str]:
    """A database with our tables, which nobody has open: to copy it takes a fifth of the migrations."""
    with postgres.databases(postgres_server) as make:
        url = make()
        open_database(url).dispose()
        yield url.rpartition("/")[2]


@pytest.fixture
def a_postgres_registry(postgres_server: str, _postgres_template: str) -> Iterator[Callable[[], str]]:
    """Make registries that nobody has used; each call returns the SQLAlchemy URL of a new one."""
    with postgres.databases(postgres_server, _postgres_template) as make:
        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database, once of each kind that we support."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/registry.db"
    make: Callable[[], str] = request.getfixturevalue("a_postgres_database")
    return make()


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a registry that nobody has used: the tables are there, once of each kind that we support."""
    if request.param == "sqlite":
        return a_registry_in(tmp_path)
    make: Callable[[], str] = request.getfixturevalue("a_postgres_registry")
    return make()


@pytest.fixture
def engine(registry_url: str) -> Iterator[Engine]:
    opened = open_patiently(registry_url)
    yield opened
    opened.dispose()
