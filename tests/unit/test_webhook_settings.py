"""The webhook's settings: what a URL and a secret may be, and that neither is ever shown."""

import base64
import os
from pathlib import Path

import pytest

from app.domain.errors import SettingsInvalid
from app.settings import Settings, load_settings
from tests.receiving import KEY, SECRET

URL = "https://hooks.example.com/T000/B000/a-secret-of-the-path"
OTHER = "whsec_" + base64.b64encode(b"n" * 32).decode()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):  # noqa: TID251 - what the tests run in is not theirs
        if name.startswith(("ORCHESTRATOR_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def loaded(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(f"ORCHESTRATOR_WEBHOOK_{name}", value)
    return load_settings()


def fault(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        loaded(monkeypatch, **environment)
    return caught.value.detail


def test_without_a_url_nothing_is_sent() -> None:
    assert load_settings().webhook is None


def test_a_url_and_a_secret_are_all_that_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    webhook = loaded(monkeypatch, URL=URL, SECRET=SECRET).webhook

    assert webhook is not None
    assert (webhook.url, webhook.keys, webhook.link_local) == (URL, (KEY,), False)


def test_several_secrets_are_read_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    webhook = loaded(monkeypatch, URL=URL, SECRET=f" {OTHER}  {SECRET} ").webhook

    assert webhook is not None
    assert webhook.keys == (b"n" * 32, KEY)


def test_padding_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    webhook = loaded(monkeypatch, URL=URL, SECRET=OTHER.rstrip("=")).webhook

    assert webhook is not None
    assert webhook.keys == (b"n" * 32,)


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com/path",
        "ftp://hooks.example.com/",
        "https://?",
        "https:///path",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:port/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com/a b",
        "https://hooks.exämple.com/",
        "https://[::1",
        "https://hooks.example.com/\x7f",
    ],
)
def test_what_is_no_url_of_a_receiver_is_refused_and_not_shown(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = fault(monkeypatch, URL=url, SECRET=SECRET)

    assert told.startswith("ORCHESTRATOR_WEBHOOK_URL=(hidden): ")
    assert url not in told


@pytest.mark.parametrize(
    "url",
    [
        "https://user:s3cr3t/path@host/x",
        "https://hooks.example.com:s3cr3t/x",
        "https://[s3cr3t]/x",
        "https://hook:s3cr3t@h/",
        "https://hook[s3cr3t/",
    ],
)
def test_no_piece_of_what_is_no_url_is_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "s3cr3t" not in fault(monkeypatch, URL=url, SECRET=SECRET)


@pytest.mark.parametrize(
    "secret",
    [
        "a-secret-without-the-prefix-and-long-enough",
        "whsec_",
        "whsec_not base64!",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        f"{SECRET} whsec_short",
        "   ",
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fault(monkeypatch, URL=URL, SECRET=secret)

    assert told.startswith("ORCHESTRATOR_WEBHOOK_SECRET=(hidden): must be whsec_")
    assert SECRET not in told
    assert "a-secret" not in told


@pytest.mark.parametrize("length", [24, 64])
def test_a_secret_has_from_24_to_64_bytes(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "whsec_" + base64.b64encode(b"x" * length).decode()

    assert loaded(monkeypatch, URL=URL, SECRET=secret).webhook is not None


def test_a_url_needs_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault(monkeypatch, URL=URL).startswith(
        "ORCHESTRATOR_WEBHOOK_URL needs ORCHESTRATOR_WEBHOOK_SECRET"
    )


def test_a_secret_alone_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, SECRET=SECRET)

    assert settings.webhook is None
    assert any("nothing is sent" in warning for warning in settings.warnings)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "0xa9fea9fe", "2852039166", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"]
)
def test_a_metadata_address_is_refused_at_the_start(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fault(monkeypatch, URL=f"http://{host}/latest", SECRET=SECRET)

    assert "ORCHESTRATOR_WEBHOOK_LINK_LOCAL=on" in told


def test_a_metadata_address_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    webhook = loaded(monkeypatch, URL="http://169.254.1.1/", SECRET=SECRET, LINK_LOCAL="on").webhook

    assert webhook is not None
    assert webhook.link_local


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "224.0.0.1"])
def test_an_address_of_nobody_cannot_be_allowed(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fault(monkeypatch, URL=f"http://{host}/", SECRET=SECRET, LINK_LOCAL="on")

    assert "LINK_LOCAL" not in told


@pytest.mark.parametrize("url", ["http://hooks.internal/", "http://10.0.0.1/"])
def test_http_is_warned_about(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings = loaded(monkeypatch, URL=url, SECRET=SECRET).warnings

    assert any("http://" in warning for warning in warnings)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://localhost/", "http://[::1]/", URL])
def test_tls_and_this_machine_are_not_warned_about(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch, URL=url, SECRET=SECRET).warnings == ()


def test_neither_secrets_nor_url_may_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, URL=URL, SECRET=f"{OTHER} {SECRET}")

    assert {URL, OTHER, SECRET} <= set(settings.secrets)
    assert SECRET not in repr(settings)
    assert "a-secret" not in repr(settings.webhook)
