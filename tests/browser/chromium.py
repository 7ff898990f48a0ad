"""A real Chromium, headless: where it is found, and how it is started.

As a program, which `make test` runs first: have Playwright fetch one where there is none.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--no-sandbox",  # root needs it, and every page here is our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.*",  # what asks for another host fails
)
STARTS_WITHIN = 90_000.0
"""Milliseconds: a start takes a second on an idle machine."""
MISSING = (
    "The browser tests need Chromium, and none was found. On Debian: apt-get install chromium. Elsewhere: "
    "`.venv/bin/playwright install chromium --only-shell`, or name one in $CHROMIUM."
)


def find(
    variables: Mapping[str, str] = os.environ,  # noqa: TID251 - whoever runs the tests may name one
    which: Callable[[str], str | None] = shutil.which,
) -> str | None:
    """Name the program: $CHROMIUM, else one in PATH; None: only Playwright may have one."""
    given = variables.get("CHROMIUM")
    if given:
        return given
    return next((path for name in NAMES if (path := which(name))), None)


def fetch() -> None:
    """Have Playwright fetch one, unless it did before. Where it cannot, say what to do."""
    sys.stderr.write("No Chromium is installed: Playwright's own is used.\n")
    install = [sys.executable, "-m", "playwright", "install", "chromium", "--only-shell"]
    if subprocess.run(install, check=False, capture_output=True).returncode:
        sys.stderr.write(f"It could not be fetched. {MISSING}\n")


@contextmanager
def running() -> Iterator[Browser]:
    """Run one with an empty profile. Where there is none, fail with what to install; never skip."""
    program = find()
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=program, args=list(ARGUMENTS), timeout=STARTS_WITHIN
            )
        except Error as error:
            if program is None:
                raise RuntimeError(MISSING) from None
            raise RuntimeError(f"{program} did not start: {error.message}. {MISSING}") from None
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__" and find() is None:
    fetch()
