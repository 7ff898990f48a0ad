"""A stranger integrates from /docs alone: every example of the page works, in its order."""

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.web.docs.reference import SERVICE
from tests.e2e.aws import Aws
from tests.e2e.processes import ROOT, Program, Service, environment

PLACEHOLDER = "export ORCHESTRATOR_TOKEN=eco_..."
PATIENCE = 120.0
"""Seconds for all of the page's examples, which take about ten on an idle machine."""
CURL = 'curl() { command curl -sS --fail "$@"; }'
"""So that an answer of 400 or more ends the shell."""

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are for curl")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Aws(worker="none") as cloud:
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_BUFFER": "8",
            "ORCHESTRATOR_POLL_INTERVAL": "1",
            "ORCHESTRATOR_AUTH": "on",
        }
        with Service(tmp_path_factory.mktemp("docs") / "registry.db", settings) as service:
            yield service


@pytest.fixture(scope="module")
def token(guarded: Service) -> str:
    """Make one as the page says, and start the service."""
    command = ("-m", "app.cli", "token", "create", "my-program", "--role", "admin", "--json")
    with Program(*command, settings=guarded.settings) as program:
        assert program.exit_code() == 0, program.said
        made: str = json.loads("".join(program.output))["token"]
    guarded.start()
    guarded.http.headers["Authorization"] = f"Bearer {made}"
    guarded.settled(idle=8)
    return made


def examples(service: Service, *, python: bool = False) -> list[str]:
    page = service.http.get("/docs").text.replace(SERVICE, service.url)
    blocks = re.findall(r"<pre[^>]*><code([^>]*)>(.*?)</code></pre>", page, re.DOTALL)
    return [html.unescape(text) for kind, text in blocks if ("language-python" in kind) is python]


def test_every_command_works_in_the_order_of_the_page(guarded: Service, token: str, tmp_path: Path) -> None:
    shell = [one for one in examples(guarded) if re.match(r"curl|export|INSTANCE=", one)]
    # Messages there are only where a webhook is set: test_webhooks sends, repeats and discards them.
    shell = [one for one in shell if "/v1/webhooks" not in one]
    (variables,) = (one for one in shell if "INSTANCE=" in one)
    assert len(shell) > 25
    # As the page says: INSTANCE is set anew once an example has terminated it.
    steps = [step for one in shell for step in ([variables, one] if "$INSTANCE" in one else [one])]

    done = subprocess.run(
        [shutil.which("bash") or "bash", "-euxo", "pipefail"],
        input="\n".join([CURL, *steps]).replace(PLACEHOLDER, f"export ORCHESTRATOR_TOKEN={token}"),
        cwd=tmp_path,
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert json.loads((tmp_path / "openapi.json").read_text())["openapi"] == "3.1.0"


def test_the_programs_work(guarded: Service, token: str) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment({"ORCHESTRATOR_TOKEN": token}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        ).stdout
        for program in examples(guarded, python=True)
    ]

    assert len(said) == 2
    assert said[0].startswith("http://")
    assert "allocation.created" in said[1]
