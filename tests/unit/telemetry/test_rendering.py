"""What a line looks like when it is written: whole, and without secrets, wherever they stand in it."""

import json
from typing import Any

import pytest

from app.telemetry.rendering import Masked, Render, for_people, for_programs

TOKEN = "eco_0a1b2c3d_" + "aB3-_" * 8 + "xyz"
PASSWORD = "correct horse"
QUOTED = 'with "quotes" and \\'
COOKIE = "Zm9v" * 10 + "abc"
SECRETS = (PASSWORD, QUOTED, "an-admin-token-of-sixteen-or-more")


class Odd:
    """A value that cannot be written."""

    def __repr__(self) -> str:
        raise RuntimeError("not even so")


@pytest.fixture(params=["json", "console"])
def render(request: pytest.FixtureRequest) -> Render:
    return for_programs if request.param == "json" else for_people(colours=False)


def written(render: Render, **line: Any) -> str:
    return Masked(render, SECRETS)(None, "info", line)


@pytest.mark.parametrize("secret", [*SECRETS, TOKEN])
@pytest.mark.parametrize("where", ["{}", "/path/{}", "ValueError: '{}' is odd", "x={}&y=1"])
def test_a_secret_stands_in_no_line_whatever_it_is_in(render: Render, secret: str, where: str) -> None:
    line = written(render, event="library.message", detail=where.format(secret))

    secret = secret.removeprefix("eco_0a1b2c3d_")  # which is public
    forms = (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1])
    assert not any(form in line for form in forms)
    assert "***" in line


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql+psycopg://app:s3cr3t@db:5432/x", "postgresql+psycopg://app:***@db:5432/x"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer ***"),
        ("AUTHORIZATION: BEARER abcdefgh12345678", "AUTHORIZATION: BEARER ***"),
        (f"GET /{TOKEN}", "GET /eco_0a1b2c3d_***"),
        (
            f"Cookie: a=1; __Host-ec2-orchestrator-session-9092={COOKIE}; b=2",
            "Cookie: a=1; __Host-ec2-orchestrator-session-9092=***; b=2",
        ),
    ],
)
def test_what_is_known_by_its_looks_needs_no_settings(text: str, hidden: str) -> None:
    assert json.loads(Masked(for_programs, ())(None, "info", {"detail": text})) == {"detail": hidden}


@pytest.mark.parametrize("text", ["ann@example.org", "eco_friendly", "the bearer of it", "http://host:80/@x"])
def test_what_only_looks_a_little_like_it_is_left_as_it_is(text: str) -> None:
    assert json.loads(written(for_programs, detail=text)) == {"detail": text}


def test_what_is_too_short_to_be_a_secret_hides_nothing() -> None:
    line = Masked(for_programs, ("app", ""))(None, "info", {"path": "/app"})

    assert json.loads(line) == {"path": "/app"}


def test_a_secret_in_a_value_that_is_no_text_is_hidden_as_well() -> None:
    line = written(for_programs, params={"password": PASSWORD}, idle=5)

    assert PASSWORD not in line
    assert json.loads(line)["idle"] == 5


def test_what_json_does_not_know_is_written_as_python_writes_it() -> None:
    assert json.loads(written(for_programs, found={"i-1"})) == {"found": "{'i-1'}"}


def test_a_value_that_cannot_be_written_costs_nobody_the_line(render: Render) -> None:
    line = written(render, event="pass.finished", odd=Odd())

    assert "pass.finished" in line
    assert "<Odd>" in line


def test_nor_does_it_beside_a_secret(render: Render) -> None:
    line = written(render, event="pass.finished", odd=Odd(), detail=PASSWORD)

    assert "<Odd>" in line
    assert PASSWORD not in line


def test_a_line_for_people_leaves_the_callers_as_it_was() -> None:
    line = {"event": "pass.finished", "idle": 5}
    for_people(colours=False)(line)

    assert line == {"event": "pass.finished", "idle": 5}
