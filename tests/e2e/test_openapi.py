"""The OpenAPI document is true: schemathesis sends the running service what it allows, and what it does not.

No answer may be a 500, have a status, a content type or a shape that is not documented, accept what the
document forbids or refuse what it allows.
"""

import json
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.web.answers import QUIET_PATHS
from tests.e2e.aws import Aws
from tests.e2e.processes import ROOT, Program, Service, environment
from tests.e2e.schemathesis_hooks import HOLDABLE, MESSAGE, NEEDLESS, SPARE

LONGEST = 240
"""Seconds that it may take; on an idle machine it is a fifteenth of that."""
EXAMPLES = 40
"""For each operation."""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Service]:
    """A service with idle instances, and a pool beside them that has none."""
    pools = tmp_path / "pools.toml"
    pools.write_text(f'[pools.default]\ngroup = "vscode-asg"\n[pools.{SPARE}]\ngroup = "no-such-group"\n')
    with Aws(worker="none", max_size=60) as cloud:
        settings = {
            **cloud.settings,
            "ORCHESTRATOR_POOLS_FILE": str(pools),
            "ORCHESTRATOR_POLL_INTERVAL": "1",
            "ORCHESTRATOR_AUTH": "on",
            "ORCHESTRATOR_WEBHOOK_URL": "http://127.0.0.1:9/nobody",
            "ORCHESTRATOR_WEBHOOK_SECRET": "whsec_" + b64encode(bytes(24)).decode(),
        }
        with Service(tmp_path / "registry.db", settings) as service:
            yield service


@pytest.fixture
def token(guarded: Service) -> str:
    """Make one of an administrator; schemathesis sends wrong ones as well, which must not lock it out."""
    command = ("-m", "app.cli", "token", "create", "schemathesis", "--role", "admin", "--json")
    with Program(*command, settings=guarded.settings) as program:
        assert program.exit_code() == 0, program.said
        made: str = json.loads("".join(program.output))["token"]
    return made


@pytest.mark.timeout(LONGEST + 60)
def test_the_service_answers_as_its_document_says(guarded: Service, token: str, tmp_path: Path) -> None:
    guarded.start()
    guarded.http.headers["Authorization"] = f"Bearer {token}"
    guarded.settled(idle=5)
    hooks = {
        "SCHEMATHESIS_HOOKS": "tests.e2e.schemathesis_hooks",
        "PYTHONPATH": str(ROOT),
        HOLDABLE: next(iter(guarded.machines("idle"))),
        MESSAGE: _a_message(guarded),
        NEEDLESS: _a_message(guarded),
    }

    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(ROOT / "tests/e2e/schemathesis.toml")),
            *("run", f"{guarded.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--max-examples", str(EXAMPLES), "--seed", "20261122", "--generation-database", "none"),
            *("--request-timeout", "60", "--suppress-health-check", "too_slow", "--no-color"),
        ],
        cwd=tmp_path,
        env=environment(hooks),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )

    assert run.returncode == 0, _readable(run.stdout + run.stderr)
    assert [line for line in guarded.logs if line["event"] == "request.crashed"] == []
    assert _never_succeeded(guarded) == []


def _a_message(service: Service) -> str:
    """Have a test message sent to the webhook, and return its id."""
    sent: str = service.http.post("/v1/webhooks").json()["id"]
    return sent


def _never_succeeded(service: Service) -> list[str]:
    """Name the operations of which nothing is known but refusals: of those the run has proved little."""
    done = [
        (line["method"], line["path"])
        for line in service.logs
        if line["event"] == "request.finished" and line["status"] < 300
    ]
    operations = [
        (method.upper(), path)
        for path, methods in service.http.get("/openapi.json").json()["paths"].items()
        for method in methods
        if path not in QUIET_PATHS
    ]
    return [
        f"{method} {path}"
        for method, path in operations
        if not any(method == one and re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), to) for one, to in done)
    ]


def _readable(text: str) -> str:
    """Leave out what no one reads: the pictures of hundreds of characters in some requests."""
    return "\n".join(line[:400] for line in text.splitlines())
