"""The documents tell the truth: what can be compared with the code is compared."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.domain.model import Limit
from app.settings import variables
from docs import generate, openapi

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    page
    for page in ROOT.rglob("*.md")
    if not {".venv", ".pytest_cache", "var", "node_modules"} & set(page.relative_to(ROOT).parts)
]
TARGETS = ["run", "test", "setup", "check", "soak", "replicas", "serve", "cloud", "bench", "docs", "openapi"]


def text(page: str) -> str:
    return (ROOT / page).read_text()


def test_the_reference_pages_are_what_the_code_says() -> None:
    assert generate.stale() == []


@pytest.mark.parametrize("variable", variables())
def test_every_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in text("docs/reference/settings.md")


def test_the_openapi_document_is_what_the_code_says() -> None:
    assert not openapi.stale()


def test_every_route_stands_in_the_readme() -> None:
    rules = openapi.interface().url_map.iter_rules()
    routes = {rule.rule.replace("<", "{").replace(">", "}") for rule in rules} - {"/", "/docs/{name}"}
    routes = {"/<projectId>" if route.startswith("/{first_word") else route for route in routes}

    parts_of_pages = {route for route in routes if route.startswith("/dashboard/")}
    missing = [route for route in sorted(routes - parts_of_pages) if f"{route}`" not in text("README.md")]

    assert missing == []


def test_every_warning_is_documented() -> None:
    codes = {
        code
        for file in (ROOT / "app").rglob("*.py")
        for code in re.findall(r'Notice\(\s*code="([a-z-]+)"', file.read_text())
    }

    assert codes
    assert [code for code in sorted(codes) if f"`{code}`" not in text("docs/reference/warnings.md")] == []


@pytest.mark.parametrize("limit", Limit)
def test_every_limit_is_documented(limit: Limit) -> None:
    assert f"`{limit.value}`" in text("docs/reference/warnings.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|/docs#)([^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("target", TARGETS)
def test_make_alone_lists_every_target_with_a_line_of_help(target: str) -> None:
    printed = subprocess.run(
        [shutil.which("make") or "make", "--no-print-directory"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert re.search(rf"^{target} +\S", printed, re.MULTILINE)


def test_every_make_target_in_the_documents_exists() -> None:
    named = {
        target
        for page in PAGES
        for block in re.findall(r"`{1,3}[^`]*`{1,3}", page.read_text())
        for target in re.findall(r"(?:^|`)make ([a-z]+)", block, re.MULTILINE)
    }
    defined = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))

    assert named
    assert named <= defined


def test_the_events_in_the_operating_guide_are_logged_somewhere() -> None:
    sources = "".join(file.read_text() for file in (ROOT / "app").rglob("*.py"))
    named = re.findall(r"`([a-z]+\.[a-z]+)`", text("docs/howto/operate.md"))
    events = [name for name in named if not name.endswith((".py", ".md"))]

    assert "pass.failed" in events
    assert [event for event in events if f'"{event}"' not in sources] == []
