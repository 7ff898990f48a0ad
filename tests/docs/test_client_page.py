"""The example of docs/howto/client.md runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.client import Client
from tests.answering import Answer, AnsweringService, Says, problem
from tests.unit.cli import wire

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "client.md").read_text()
ONE = "/v1/allocations/my-project"
HELD = wire.an_allocation(expires_at="2026-11-22T22:15:00Z")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Says(201, HELD), "Open http://54.123.45.67:8080; it is yours until 2026-11-22 22:15:00+00:00.\n"),
        (problem(503, "pool-exhausted", "None."), "Nothing became idle within a minute.\n"),
    ],
)
def test_the_example_does_what_it_says(answer: Answer, says: str) -> None:
    match = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert match
    code = match[1].replace("wait=60", "wait=0.1")
    with AnsweringService() as service:
        service.on("PUT", ONE, answer)
        service.on("POST", f"{ONE}/renew", Says(200, HELD))
        service.on("DELETE", ONE, Says(202, HELD))
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"ORCHESTRATOR_URL": service.url, "ORCHESTRATOR_TOKEN": "a-token"},
            capture_output=True,
            text=True,
            check=True,
        )

    assert done.stdout == says


def test_every_method_stands_on_the_page() -> None:
    methods = {name for name in vars(Client) if not name.startswith("_")} - {"close", "url"}

    assert [name for name in sorted(methods) if f"`{name}(" not in PAGE] == []
