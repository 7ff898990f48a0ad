"""What the browser tests share: one Chromium, windows that must stay without fault, and two installations."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.browser.installation import Guarded, Installation, guarded_by_tokens, installed
from tests.browser.visit import Visitor


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium.running() as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Open windows. Each is closed after the test, which fails for what went wrong in any of them."""
    visitor = Visitor(browser)
    try:
        yield visitor
        visitor.check()
    finally:
        visitor.close()


@pytest.fixture(scope="package")
def _open_to_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("open"), idle=2) as made:
        yield made


@pytest.fixture
def installation(_open_to_all: Installation) -> Installation:
    """One that needs no token, with two idle instances and nobody on it."""
    _open_to_all.tidy()
    return _open_to_all


@pytest.fixture(scope="package")
def _guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_by_tokens(tmp_path_factory.mktemp("guarded")) as made:
        yield made


@pytest.fixture
def guarded(_guarded: Guarded) -> Guarded:
    """One that needs a token, with two idle instances and nobody on it."""
    _guarded.tidy()
    return _guarded
