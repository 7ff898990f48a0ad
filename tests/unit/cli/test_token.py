"""`token`: what is printed where, and what is never printed."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from app.bootstrap import OpenDesk
from app.cli.program import program
from app.cli.wiring import Surroundings
from app.domain.errors import RegistryUnusable
from app.service.tokens import TokenDesk
from app.settings import Settings
from tests.fakes import FakeClock, FakeTokens

SETTINGS = Settings.model_construct()


@dataclass
class Desk:
    """A desk on a database in memory, and the program at it."""

    tokens: FakeTokens = field(default_factory=FakeTokens)
    clock: FakeClock = field(default_factory=FakeClock)
    opened: list[bool] = field(default_factory=list)
    """Whether it was opened to change something, each time."""
    makes: list[bool] = field(default_factory=list)
    """And whether the database was to be made where there is none."""
    new: bool = False

    def run(self, *arguments: str, settings: Settings = SETTINGS) -> Result:
        surroundings = Surroundings(now=self.clock.now, user=lambda: "ann")
        commands = program(lambda: settings, _no_inspection, surroundings, self._open)
        return CliRunner().invoke(commands, ["token", *arguments])

    def create(self, name: str, *more: str) -> str:
        return self.run("create", name, "--role", "allocator", *more).stdout.strip()

    @contextmanager
    def _open(self, settings: Settings, *, changes: bool, makes: bool = False) -> Iterator[OpenDesk]:
        self.opened.append(changes)
        self.makes.append(makes)
        yield OpenDesk(
            TokenDesk(tokens=self.tokens, clock=self.clock, chance=self._chance), "/srv/registry.db", self.new
        )

    def _chance(self, size: int) -> bytes:
        return bytes([len(self.opened)]) * size


def _no_inspection(_: Settings) -> Any:
    raise AssertionError("tokens need no AWS")


@pytest.fixture
def desk() -> Desk:
    return Desk()


# create


def test_the_token_alone_goes_to_standard_output(desk: Desk) -> None:
    result = desk.run("create", "ci", "--role", "allocator")

    assert result.exit_code == 0
    assert result.stdout == f"eco_01010101_{'AQEB' * 10}AQE\n"


def test_what_it_is_and_where_it_is_kept_goes_beside_it(desk: Desk) -> None:
    told = " ".join(desk.run("create", "ci", "--role", "allocator", "--expires", "90d").stderr.split())

    assert "Token 'ci' may do what the role 'allocator' may, until 2027-02-20T12:00:00Z." in told
    assert "its hash is kept in /srv/registry.db" in told


def test_who_made_it_is_kept(desk: Desk) -> None:
    desk.create("ci")

    assert [token.created_by for token in desk.tokens.listed()] == ["cli:ann"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("90d", timedelta(days=90)), ("12h", timedelta(hours=12)), ("1d12h", timedelta(hours=36))],
)
def test_it_expires_when_it_was_asked_to(desk: Desk, written: str, meant: timedelta) -> None:
    desk.create("ci", "--expires", written)

    assert [token.expires_at for token in desk.tokens.listed()] == [desk.clock.now() + meant]


def test_a_program_gets_the_token_with_all_about_it(desk: Desk) -> None:
    result = desk.run("create", "ci", "--role", "viewer", "--json")
    told = json.loads(result.stdout)

    assert told["token"].startswith(f"eco_{told['id']}_")
    assert (told["name"], told["role"], told["state"], told["expiresAt"]) == ("ci", "viewer", "valid", None)
    assert result.stderr == ""


def test_the_first_token_closes_an_open_service_and_says_so(desk: Desk) -> None:
    first = desk.run("create", "one", "--role", "admin").stderr
    second = desk.run("create", "two", "--role", "admin").stderr

    assert "the first one" in " ".join(first.split())
    assert "first" not in second


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"auth": "off"}, "asks nobody for a token"),
        ({"admin_token": SecretStr("x" * 16)}, "revoked. It is shown"),
    ],
)
def test_what_the_settings_make_of_it_is_told(desk: Desk, settings: dict[str, Any], says: str) -> None:
    told = desk.run("create", "ci", "--role", "admin", settings=SETTINGS.model_copy(update=settings)).stderr

    assert says in " ".join(told.split())
    assert "first" not in told


def test_a_database_that_had_to_be_made_is_pointed_out(desk: Desk) -> None:
    desk.new = True

    told = " ".join(desk.run("create", "ci", "--role", "admin").stderr.split())

    assert "was made now: is it the service's own?" in told


def test_a_name_that_is_taken_is_refused(desk: Desk) -> None:
    desk.create("ci")
    result = desk.run("create", "ci", "--role", "admin")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "ci"),
        ("create", "--role", "admin"),
        ("create", "a b", "--role", "admin"),
        ("create", "-rf", "--role", "admin"),
        ("create", "", "--role", "admin"),
        ("create", "abcdef01", "--role", "admin"),
        ("create", "ci", "--role", "root"),
        ("create", "ci", "--role", "admin", "--expires", "soon"),
        ("create", "ci", "--role", "admin", "--expires", "0s"),
        ("create", "ci", "--role", "admin", "--expires", "99999d"),
        ("create", "ci", "--role", "admin", "--expires", "9" * 30 + "d"),
        ("revoke",),
        ("revoke", "a b"),
        ("list", "ci"),
        ("nonsense",),
    ],
)
def test_wrong_usage_ends_with_2_and_opens_nothing(desk: Desk, arguments: tuple[str, ...]) -> None:
    assert desk.run(*arguments).exit_code == 2
    assert not desk.opened


# list


def test_a_list_has_no_secret_and_no_hash(desk: Desk) -> None:
    secret = desk.create("ci").split("_", 2)[2]
    (token,) = desk.tokens.listed()

    for options in ((), ("--json",), ("--all",), ("--all", "--json")):
        told = desk.run("list", *options).output
        assert "ci" in told
        assert secret not in told
        assert token.digest not in told


def test_a_list_tells_when_each_was_used_and_what_it_is_good_for(desk: Desk) -> None:
    desk.create("ci", "--expires", "1h")
    desk.clock.advance(1)
    desk.create("grafana")
    (grafana, _) = desk.tokens.listed()
    desk.tokens.note_used({grafana.id: desk.clock.now()})
    desk.clock.advance(7200)

    lines = [line.split() for line in desk.run("list").stdout.splitlines()]

    assert lines[0][:4] == ["NAME", "ROLE", "STATE", "USED"]
    assert lines[1][:4] == ["grafana", "allocator", "valid", "2026-11-22T12:00:01Z"]
    assert lines[2][:4] == ["ci", "allocator", "expired", "-"]


def test_a_revoked_token_is_listed_only_when_all_are(desk: Desk) -> None:
    desk.create("ci")
    desk.run("revoke", "ci")

    assert json.loads(desk.run("list", "--json").stdout) == []
    (told,) = json.loads(desk.run("list", "--all", "--json").stdout)
    assert (told["name"], told["state"], told["revokedAt"]) == ("ci", "revoked", "2026-11-22T12:00:00Z")


def test_an_empty_list_is_told_beside_the_output(desk: Desk) -> None:
    result = desk.run("list")

    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "",
        "There is no token in /srv/registry.db.\n",
    )


def test_to_list_changes_nothing(desk: Desk) -> None:
    desk.run("list")

    assert desk.opened == [False]


# revoke


def test_a_token_is_revoked_by_its_name(desk: Desk) -> None:
    desk.create("ci")
    desk.create("other")

    result = desk.run("revoke", "ci")

    assert result.exit_code == 0
    assert result.stdout.startswith("Token 'ci' is revoked")
    assert result.stderr == ""
    assert [token.name for token in desk.tokens.standing().values()] == ["other"]


@pytest.mark.parametrize(
    ("bind", "says"),
    [("127.0.0.1:9092", "is open to this machine again"), ("0.0.0.0:9092", "nobody can use")],
)
def test_what_the_end_of_the_last_token_means_is_told(desk: Desk, bind: str, says: str) -> None:
    desk.create("ci")
    settings = SETTINGS.model_copy(update={"bind": bind})

    assert says in " ".join(desk.run("revoke", "ci", settings=settings).stderr.split())


def test_what_is_not_there_cannot_be_revoked(desk: Desk) -> None:
    result = desk.run("revoke", "nobody")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: No token 'nobody' is in force in /srv/registry.db.\n"


def test_a_token_is_revoked_by_its_id_too(desk: Desk) -> None:
    desk.create("ci")

    assert desk.run("revoke", "01010101").stdout.startswith("Token 'ci' is revoked")


def test_only_a_new_token_makes_a_database(desk: Desk) -> None:
    desk.create("ci")
    desk.run("list")
    desk.run("revoke", "ci")

    assert desk.makes == [True, False, False]


def test_a_program_gets_the_revoked_token_as_json(desk: Desk) -> None:
    desk.create("ci")

    assert json.loads(desk.run("revoke", "ci", "--json").stdout)["state"] == "revoked"


# all of them


@pytest.mark.parametrize("command", ["create", "list", "revoke"])
def test_each_has_help_with_examples_and_is_listed_with_a_sentence(desk: Desk, command: str) -> None:
    own, listed = desk.run(command, "--help"), desk.run("--help")

    assert f"  ec2-orchestrator token {command}" in own.output
    assert any(line.startswith(f"  {command} ") and line.endswith(".") for line in listed.output.splitlines())


def test_a_database_that_cannot_be_used_is_one_line_on_standard_error(desk: Desk) -> None:
    def refuse(settings: Settings, *, changes: bool, makes: bool = False) -> AbstractContextManager[OpenDesk]:
        raise RegistryUnusable("It is locked away.")

    commands = program(lambda: SETTINGS, _no_inspection, None, refuse)
    result = CliRunner().invoke(commands, ["token", "create", "ci", "--role", "viewer"])

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: It is locked away.\n")
