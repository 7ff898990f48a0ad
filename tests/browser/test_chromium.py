"""Where Chromium is looked for, and what is said where there is none."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.browser import chromium


def test_the_one_that_is_named_comes_first() -> None:
    assert chromium.find({"CHROMIUM": "/opt/chrome"}, lambda name: f"/usr/bin/{name}") == "/opt/chrome"


@pytest.mark.parametrize("name", ["chromium", "google-chrome"])
def test_one_in_path_is_found_whatever_its_name(name: str) -> None:
    here = {name: f"/usr/bin/{name}"}

    assert chromium.find({}, here.get) == f"/usr/bin/{name}"


def test_without_any_playwright_may_have_its_own() -> None:
    assert chromium.find({}, lambda _: None) is None


def test_one_that_does_not_start_fails_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")

    def start() -> None:
        with chromium.running():
            pass

    # In a thread of its own: this one may have a Chromium already.
    with ThreadPoolExecutor(1) as thread, pytest.raises(RuntimeError, match="apt-get install chromium"):
        thread.submit(start).result()
