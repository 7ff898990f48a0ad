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


class Raw:
    """A value that is written with whatever it was given."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


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
            "postgresql+psycopg://app@server:Zm9v/YmFy?x@db.example/x",
            "postgresql+psycopg://app@server:***@db.example/x",
        ),
        ("postgresql://app:p@ss/word@db/x", "postgresql://app:***@ss/word@db/x"),
        ("postgresql://app:p@ss@db/x?mail=a@b", "postgresql://app:***@db/x?mail=a@b"),
        ("{'Authorization': 'Bearer tiny-one'}", "{'Authorization': 'Bearer ***'}"),
        ("(b'authorization', b'Basic dXNlcjpwdw==')", "(b'authorization', b'Basic ***')"),
        ("sent bearer 0123456789abcdefghij to it", "sent bearer *** to it"),
        (
            f"Cookie: a=1; __Host-ec2-orchestrator-session-9092={COOKIE}; b=2",
            "Cookie: a=1; __Host-ec2-orchestrator-session-9092=***; b=2",
        ),
        (
            f"MultiDict([('ec2-orchestrator-session-9092', '{COOKIE}')])",
            "MultiDict([('ec2-orchestrator-session-9092', '***')])",
        ),
    ],
)
def test_what_is_known_by_its_looks_needs_no_settings(text: str, hidden: str) -> None:
    assert json.loads(Masked(for_programs, ())(None, "info", {"detail": text})) == {"detail": hidden}


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.org",
        "eco_friendly",
        "the bearer of it",
        "the bearer certificate12345 expired",
        "http://host:80/@x",
        "Authorization is needed",
    ],
)
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


# Literal secrets


@pytest.mark.parametrize("text", ["ec2-orchestrator", "orchestrators", "my_orchestrator", "orchestrator-1"])
def test_a_password_that_is_a_word_hides_no_part_of_another(text: str) -> None:
    line = Masked(for_programs, ("orchestrator",))(None, "info", {"detail": f"{text} and 'orchestrator'."})

    assert json.loads(line) == {"detail": f"{text} and '***'."}


@pytest.mark.parametrize("before", ["=", ":", "/", "%3D", "\\n", "\\x1b", "\n", '\\"'])
@pytest.mark.parametrize("after", ["", "@", "&", "%26", "\\n", "\n", "."])
def test_a_secret_begins_and_ends_also_beside_what_is_written_in_another_way(before: str, after: str) -> None:
    line = Masked(for_programs, ("orchestrator",))(None, "info", {"detail": f"{before}orchestrator{after}"})

    assert json.loads(line) == {"detail": f"{before}***{after}"}


def test_a_secret_that_is_part_of_the_cookies_name_lets_no_cookie_out(render: Render) -> None:
    text = f"Cookie: ec2-orchestrator-session-9092={COOKIE}"
    for secret in ("orchestrator", "ec2-orchestrator", "orchestrator-session", "session-9092"):
        line = Masked(render, (secret,))(None, "info", {"detail": text})

        assert COOKIE not in line


@pytest.mark.parametrize(
    "secret", ["back\\slash\\\\twice", "all \"of' them\\", "ümläut und \u2028", "\\leading-and-\U0001f600"]
)
@pytest.mark.parametrize(
    "wrap", [lambda one: one, lambda one: {"k": [one]}, lambda one: {(one,)}, lambda one: repr({"k": one})]
)
def test_a_secret_with_odd_signs_is_found_however_deep_it_is(render: Render, secret: str, wrap: Any) -> None:
    line = Masked(render, (secret,))(None, "info", {"event": "x", "detail": wrap(secret)})

    assert "***" in line
    assert not [part for part in ("slash", "leading", "ml", "them") if part in line]


def test_lists_and_objects_stay_what_they_are() -> None:
    line = written(for_programs, detail={"hosts": ["a", f"x={PASSWORD}", 3], "more": {"none": None}})

    assert json.loads(line) == {"detail": {"hosts": ["a", "x=***", 3], "more": {"none": None}}}


@pytest.mark.parametrize("key", ["Authorization", "cookie", "ec2-orchestrator-session-9092", "db_password"])
def test_what_a_key_calls_secret_is_hidden_whole(render: Render, key: str) -> None:
    assert "tiny" not in Masked(render, ())(None, "info", {"event": "x", "headers": {key: "tiny one"}})


def test_a_key_that_is_no_text_costs_nobody_the_line() -> None:
    assert "***" in written(for_programs, detail={("a", 1): PASSWORD})


def test_what_has_itself_in_it_costs_nobody_the_line(render: Render) -> None:
    endless: dict[str, Any] = {"password": PASSWORD}
    endless["again"] = endless

    assert PASSWORD not in written(render, event="x", detail=endless)


def test_what_programs_go_by_is_never_masked() -> None:
    line = {"event": "pass.finished", "level": "info", "timestamp": "2026-11-22T11:32:46Z"}
    secrets = ("pass.finished", "2026-11-22T11:32:46Z")

    assert json.loads(Masked(for_programs, secrets)(None, "info", line)) == line


def test_hiding_takes_no_longer_than_the_text_is_long() -> None:
    """Anybody may send a path that is made for it."""
    path = "@" + "://a:" * 50_000

    assert json.loads(written(for_programs, path=path)) == {"path": path}


# Terminals

EVIL = ("\x1b[2J", "\x07", "\x9b31m", "\x85", "\u2028", "\u202e", "\x7f", "\r", "\ud800")


@pytest.mark.parametrize("sign", EVIL)
@pytest.mark.parametrize("colours", [True, False])
def test_no_value_reaches_a_terminal_with_signs_that_it_obeys(sign: str, colours: bool) -> None:
    render = for_people(colours=colours)
    plain = render({"event": "x", "level": "info", "path": "/ab", "logger": "l", "ids": ["a"], "odd": "o"})
    shown = render(
        {
            "event": f"x{sign}",
            "level": "info",
            "path": f"/a{sign}b",
            "logger": f"l{sign}",
            "ids": [f"a{sign}"],
            "odd": Raw(sign),
        }
    )

    assert shown.count(sign[0]) == plain.count(sign[0]) == (0 if not colours else plain.count(sign[0]))
    assert "/a\\" in shown


@pytest.mark.parametrize("sign", EVIL)
def test_nor_does_an_exception_but_it_keeps_its_lines(sign: str) -> None:
    shown = for_people(colours=False)({"event": "x", "exception": f"Traceback\nValueError: a{sign}b"})

    assert sign not in shown
    assert "Traceback\nValueError: a\\" in shown


def test_letters_of_every_language_are_shown_as_they_are() -> None:
    assert "/größe/日本" in for_people(colours=False)({"event": "x", "path": "/größe/日本"})
