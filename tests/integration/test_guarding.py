"""Who may start, and what a doctor says about it: the settings and the database decide together."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app import bootstrap
from app.bootstrap import guarding
from app.bootstrap.clock import SystemClock
from app.domain.access import Role
from app.domain.errors import RegistryUnusable, SettingsInvalid
from app.domain.finding import Verdict
from app.registry.database import open_database
from app.registry.transactions import Transactions
from app.settings import Settings

PUBLIC = "0.0.0.0:9092"
ADMIN = SecretStr("a-token-of-sixteen-characters-or-more")

Made = Callable[..., Settings]


@pytest.fixture
def made(database_url: str) -> Made:
    def make(**settings: Any) -> Settings:
        return Settings(database_url=database_url, **settings)

    return make


def create(settings: Settings, name: str = "ci", ttl: timedelta | None = None) -> None:
    with guarding.token_desk(settings, changes=True, makes=True) as opened:
        opened.desk.create(name, Role.ADMIN, ttl=ttl, actor="cli:ann")


def try_to_start(settings: Settings) -> None:
    transactions = Transactions(open_database(settings.database_url))
    try:
        guarding.refuse_unguarded(settings, guarding.gate_of(settings, transactions, SystemClock()))
    finally:
        transactions.close()


@pytest.mark.parametrize("settings", [{"bind": PUBLIC}, {"auth": "on"}, {"auth": "on", "bind": PUBLIC}])
def test_without_any_token_what_must_be_closed_does_not_start(made: Made, settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="ec2-orchestrator token create"):
        try_to_start(made(**settings))

    (finding,) = guarding.examine_guard(made(**settings))
    assert finding.verdict is Verdict.FAILURE


@pytest.mark.parametrize("settings", [{"bind": PUBLIC}, {"auth": "on"}])
def test_a_token_that_was_made_before_the_first_start_is_enough(made: Made, settings: dict[str, Any]) -> None:
    create(made(**settings))

    try_to_start(made(**settings))

    (finding,) = guarding.examine_guard(made(**settings))
    assert (finding.verdict, finding.detail) == (
        Verdict.OK,
        "Every request needs a token: there is 1 token in the database.",
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "open to this machine alone"),
        ({"auth": "off", "bind": PUBLIC}, "something else must guard it"),
        ({"auth": "off", "proxy_hops": 1}, "something else must guard it"),
        ({"auth": "off"}, "open to this machine, as ORCHESTRATOR_AUTH=off says"),
        ({"admin_token": ADMIN, "bind": PUBLIC}, "no tokens in the database, and the admin token"),
        ({"admin_token": ADMIN}, "Every request needs a token"),
    ],
)
def test_what_is_guarded_or_may_be_open_starts(made: Made, settings: dict[str, Any], says: str) -> None:
    try_to_start(made(**settings))

    (finding,) = guarding.examine_guard(made(**settings))
    assert finding.verdict is Verdict.OK
    assert says in finding.detail


@pytest.mark.parametrize("settings", [{}, {"bind": PUBLIC}, {"auth": "on"}])
def test_that_all_tokens_have_expired_is_told(made: Made, settings: dict[str, Any]) -> None:
    create(made(**settings), ttl=-timedelta(seconds=1))

    try_to_start(made(**settings))

    services = bootstrap.build(made(**settings))
    warnings = services.warnings()
    services.close()
    assert [one for one in warnings if "All tokens have expired" in one and "token create" in one]
    (finding,) = guarding.examine_guard(made(**settings))
    assert (finding.verdict, finding.detail) == (
        Verdict.WARNING,
        "All tokens have expired: nobody can enter.",
    )
    assert "token create" in finding.remedy


@pytest.mark.parametrize(
    ("settings", "local"),
    [
        ({}, True),
        ({"proxy_hops": 1}, True),
        ({"auth": "off"}, True),
        ({"auth": "off", "proxy_hops": 1}, False),
        ({"auth": "off", "bind": PUBLIC}, False),
    ],
)
def test_an_open_service_answers_strangers_only_where_something_else_guards_it(
    made: Made, settings: dict[str, Any], local: bool
) -> None:
    transactions = Transactions(open_database(made().database_url))
    gate = guarding.gate_of(made(**settings), transactions, SystemClock())

    assert (gate.open, gate.local) == (True, local)
    transactions.close()


def test_a_revoked_token_is_none(made: Made) -> None:
    create(made())
    with guarding.token_desk(made(), changes=True) as opened:
        opened.desk.revoke("ci", actor="cli:ann")

    with pytest.raises(SettingsInvalid):
        try_to_start(made(bind=PUBLIC))


@pytest.mark.parametrize("changes", [False, True])
def test_where_there_is_no_database_no_token_is_listed_or_revoked(tmp_path: Path, changes: bool) -> None:
    """In a wrong folder, "no such token" would leave a good one in force."""
    settings = Settings(database_url=f"sqlite:///{tmp_path}/none.db")

    with (
        pytest.raises(RegistryUnusable, match=f"no database of the service at {tmp_path}/none.db"),
        guarding.token_desk(settings, changes=changes),
    ):
        pass

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("changes", [False, True])
def test_an_empty_file_is_no_database_either_and_stays_empty(tmp_path: Path, changes: bool) -> None:
    file = tmp_path / "empty.db"
    file.touch()

    with (
        pytest.raises(RegistryUnusable, match="no database of the service"),
        guarding.token_desk(Settings(database_url=f"sqlite:///{file}"), changes=changes),
    ):
        pass

    assert file.stat().st_size == 0


def test_a_database_that_is_made_for_a_token_is_told_as_new_once(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/new.db")

    with guarding.token_desk(settings, changes=True, makes=True) as first:
        assert first.new
    with guarding.token_desk(settings, changes=True, makes=True) as second:
        assert not second.new


def test_the_name_of_a_database_shows_no_password() -> None:
    name, _ = guarding._place("postgresql+psycopg://ann:hush@db.example.com/pool")

    assert "hush" not in name
    assert "db.example.com" in name


def test_what_cannot_be_opened_is_left_to_the_check_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "diary.db").write_bytes(b"Dear diary" * 100)

    assert guarding.examine_guard(Settings(database_url=f"sqlite:///{tmp_path}/diary.db")) == []
