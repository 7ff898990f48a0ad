"""Settings: what they are without any, and how faults are told."""

import os
from pathlib import Path

import pytest

from app.domain.errors import SettingsInvalid
from app.settings import load_settings, variables


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("ORCHESTRATOR_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def faults(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    return caught.value.detail.splitlines()


def test_without_any_setting_the_defaults_of_the_contract_hold() -> None:
    settings = load_settings()

    assert settings.asg_name == "vscode-asg"
    assert settings.buffer == 5
    assert settings.poll_interval == 10
    assert settings.bind == "127.0.0.1:9092"
    assert settings.instance_port == 8080
    assert settings.aws_region == "us-east-1"
    assert settings.database_url == "sqlite:///var/orchestrator.db"


def test_every_fault_is_told_at_once_with_variable_value_and_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    told = faults(
        monkeypatch,
        ORCHESTRATOR_BUFFER="many",
        ORCHESTRATOR_READINESS="maybe",
        ORCHESTRATOR_AUTH="perhaps",
        AWS_ACCESS_KEY="AKIAEXAMPLE",
    )

    assert [line.split(":")[0].split(" ")[0].split("=")[0] for line in told] == [
        "ORCHESTRATOR_BUFFER",
        "ORCHESTRATOR_READINESS",
        "ORCHESTRATOR_AUTH",
        "AWS_ACCESS_KEY",
    ]
    assert told[0].startswith("ORCHESTRATOR_BUFFER='many': ")
    assert "integer" in told[0]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ORCHESTRATOR_BUFFER", "-1"),
        ("ORCHESTRATOR_POLL_INTERVAL", "0"),
        ("ORCHESTRATOR_INSTANCE_PORT", "65536"),
        ("ORCHESTRATOR_READINESS_PATH", "healthz"),
        ("ORCHESTRATOR_BIND", "9092"),
        ("ORCHESTRATOR_BIND", "localhost:http"),
        ("ORCHESTRATOR_METRICS_BIND", "9100"),
        ("ORCHESTRATOR_ADDRESS", "elastic"),
        ("ORCHESTRATOR_POLLER", "true"),
        ("ORCHESTRATOR_AUTH", "yes"),
        ("ORCHESTRATOR_PROXY_HOPS", "-1"),
        ("ORCHESTRATOR_PROXY_HOPS", "11"),
        ("ORCHESTRATOR_PROXY_HOPS", "10.0.0.1"),
        ("ORCHESTRATOR_IDLE_TIMEOUT", "-1"),
        ("ORCHESTRATOR_LOG_FORMAT", "xml"),
    ],
)
def test_a_value_that_cannot_be_meant_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    assert any(line.startswith(variable) for line in faults(monkeypatch, **{variable: value}))


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BUFFER", "many")
    told = "\n".join(faults(monkeypatch, ORCHESTRATOR_ADMIN_TOKEN="tooshort", AWS_SECRET_KEY="hush-hush"))

    assert "tooshort" not in told
    assert "hush" not in told


def test_a_setting_shows_no_secret_when_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_KEY", "hush-hush")

    assert "hush" not in repr(load_settings())


@pytest.mark.parametrize("bind", ["0.0.0.0:9092", "10.0.0.5:9092", "example.org:9092", "[::]:9092"])
def test_an_address_that_others_can_reach_is_told_from_loopback(
    monkeypatch: pytest.MonkeyPatch, bind: str
) -> None:
    """It is no fault: there may be tokens in the database."""
    monkeypatch.setenv("ORCHESTRATOR_BIND", bind)

    assert not load_settings().bind_is_loopback


@pytest.mark.parametrize("bind", ["127.0.0.1:9092", "localhost:9092", "[::1]:9092", "127.8.0.1:1"])
def test_a_loopback_address_is_known_by_every_name(monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BIND", bind)

    assert load_settings().bind_is_loopback


def test_no_proxy_is_believed_unless_it_is_said() -> None:
    assert load_settings().proxy_hops == 0


@pytest.mark.parametrize("bind", ["0.0.0.0:9092", "127.0.0.1:9092"])
def test_auth_off_is_possible_and_warned_about(monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BIND", bind)
    monkeypatch.setenv("ORCHESTRATOR_AUTH", "off")

    assert "ORCHESTRATOR_AUTH=off" in load_settings().warnings[0]


def test_auth_off_behind_a_proxy_is_warned_about_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PROXY_HOPS", "1")
    monkeypatch.setenv("ORCHESTRATOR_AUTH", "off")

    assert "ORCHESTRATOR_AUTH=off" in load_settings().warnings[0]


@pytest.mark.parametrize(("bind", "warned"), [("0.0.0.0:9100", 1), ("127.0.0.1:9100", 0), ("[::1]:9100", 0)])
def test_metrics_that_others_can_read_are_warned_about(
    monkeypatch: pytest.MonkeyPatch, bind: str, warned: int
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_METRICS_BIND", bind)

    warnings = load_settings().warnings
    assert [f"ORCHESTRATOR_METRICS_BIND={bind}" in one for one in warnings] == [True] * warned


@pytest.mark.parametrize(
    ("seconds", "readiness", "warned"),
    [
        ("119", "http", ["use may be seen too late"]),
        ("120", "http", []),
        ("120", "tcp", ["being used confirms nothing here"]),
        ("120", "off", ["being used confirms nothing here"]),
    ],
)
def test_a_confirmation_that_use_may_not_give_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, seconds: str, readiness: str, warned: list[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CONFIRM_WITHIN", seconds)
    monkeypatch.setenv("ORCHESTRATOR_READINESS", readiness)

    warnings = load_settings().warnings
    assert [part in one for part, one in zip(warned, warnings, strict=True)] == [True] * len(warned)


def test_a_misspelt_setting_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BUFER", "7")

    assert load_settings().warnings == (
        "ORCHESTRATOR_BUFER is not a setting and was ignored. Did you mean ORCHESTRATOR_BUFFER?",
    )


def test_an_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BUFFER", "")

    assert load_settings().buffer == 5


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("ORCHESTRATOR_BUFFER=7\nORCHESTRATOR_ASG_NAME=from-file\n")
    monkeypatch.setenv("ORCHESTRATOR_BUFFER", "9")
    monkeypatch.delenv("ORCHESTRATOR_ASG_NAME", raising=False)

    settings = load_settings()

    assert (settings.buffer, settings.asg_name) == (9, "from-file")
    monkeypatch.delenv("ORCHESTRATOR_ASG_NAME")  # what the file brought in leaves with the test


def test_another_env_file_or_none_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("ORCHESTRATOR_BUFFER=7\n")
    monkeypatch.setenv("ORCHESTRATOR_ENV_FILE", "")

    assert load_settings().buffer == 5


def test_the_default_region_serves_where_no_region_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert load_settings().aws_region == "eu-west-1"


def test_all_variables_of_the_contract_are_known() -> None:
    assert {"ORCHESTRATOR_ASG_NAME", "AWS_ACCESS_KEY", "AWS_DEFAULT_REGION"} <= set(variables())


def test_the_secrets_are_known_so_that_no_log_line_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "AWS_ACCESS_KEY": "AKIAEXAMPLE",
        "AWS_SECRET_KEY": "of-our-own-key",
        "AWS_SESSION_TOKEN": "of-a-role",
        "ORCHESTRATOR_ADMIN_TOKEN": "sixteen-or-more-signs",
        "ORCHESTRATOR_DATABASE_URL": "postgresql+psycopg://app:p%40ss@db/x?password=again",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert set(load_settings().secrets) == {
        "of-our-own-key",
        "of-a-role",
        "sixteen-or-more-signs",
        "p%40ss",
        "p@ss",
        "again",
    }


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("postgresql+psycopg://app:Zm9v/YmFy@db.example/x", {"Zm9v/YmFy"}),
        ("postgresql+psycopg://app:a?b#c[d]:e@db/x", {"a?b#c[d]:e"}),
        ("postgresql+psycopg://app@server:one/two@db/x", {"one/two"}),
        # SQLAlchemy ends a password at the first @: who wrote this one meant all of it.
        ("postgresql+psycopg://app:p@ss@db/x?y=a@b", {"p", "p@ss"}),
        ("postgresql+psycopg://app@db/x?password=a%2Fb&sslpassword=c", {"a%2Fb", "a/b", "c"}),
        ("postgresql+psycopg://app:a b@db/x", {"a b"}),
        ("postgresql+psycopg://:nobody@db/x", {"nobody"}),
    ],
)
def test_a_password_is_known_whatever_signs_it_has(
    monkeypatch: pytest.MonkeyPatch, url: str, secrets: set[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", url)

    assert set(load_settings().secrets) == secrets


@pytest.mark.parametrize(
    "url", ["sqlite:///var/orchestrator.db", "postgresql://[no url", "postgresql://app@db:5432/x"]
)
def test_where_there_is_no_secret_none_is_known(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", url)

    assert load_settings().secrets == ()
