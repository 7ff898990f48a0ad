"""The connection to AWS: made when it is needed, and made anew."""

from pathlib import Path
from typing import Any

import pytest

from app.aws import Account, AwsCloud, Connection
from app.domain.errors import BadCredentials, CloudError, Unexpected
from app.service.leadership import CHANGE
from tests.builders import an_instance_id
from tests.fakes import FakeClock
from tests.integration.gateway.bench import GROUPS, Bench
from tests.simulated import GROUP, KEYS


def test_a_connection_does_nothing_until_it_is_used() -> None:
    Connection(Account(region="no such region"))


def test_a_connection_that_cannot_be_made_raises_our_error() -> None:
    connection = Connection(Account(region="no such region", keys=KEYS))
    cloud = AwsCloud(connection, group=GROUP, address="private", clock=FakeClock(), confirm=lambda: None)
    with pytest.raises(Unexpected, match="InvalidRegionError"):
        cloud.observe(())


def test_credentials_that_were_exchanged_are_found_after_aws_refused_the_old_ones(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "credentials"
    keys.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    found = Connection(Account(region=bench.simulated.config.region), endpoint_url=bench.simulated.url)
    cloud = AwsCloud(found, group=GROUP, address="private", clock=FakeClock(), confirm=lambda: None)
    bench.fault(GROUPS, code="ExpiredToken", status=403, times=1)
    with pytest.raises(BadCredentials):
        cloud.observe(())
    keys.write_text("[default]\naws_access_key_id = NEW\naws_secret_access_key = x\n")
    cloud.observe(())
    assert [call["caller"] for call in bench.simulated.calls.as_json()["calls"]] == ["OLD", "NEW", "NEW"]


def test_credentials_are_fetched_before_a_change_is_confirmed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetching them may take long, and a confirmation is worth something for a moment only."""
    fetched = tmp_path / "fetched"
    keys = '{"Version": 1, "AccessKeyId": "KEY", "SecretAccessKey": "x"}'
    script = tmp_path / "fetch"
    script.write_text(f"#!/bin/sh\ntouch {fetched}\necho '{keys}'\n")
    script.chmod(0o755)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {script}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    found = Connection(Account(region=bench.simulated.config.region), endpoint_url=bench.simulated.url)
    confirmed: list[bool] = []
    cloud = AwsCloud(
        found,
        group=GROUP,
        address="private",
        clock=FakeClock(),
        confirm=lambda: confirmed.append(fetched.exists()),
    )

    with pytest.raises(CloudError):
        cloud.protect([an_instance_id()])

    assert confirmed == [True]


def test_a_change_has_seven_seconds_to_its_last_effect() -> None:
    """Two to connect, five to answer: what a leader reserves for it."""
    usual = Connection(Account(region="us-east-1", keys=KEYS), endpoint_url="http://127.0.0.1:9")
    with usual.changing("ec2:CreateTags", confirm=lambda: None) as clients:
        config: Any = clients.ec2.meta.config
    assert config.connect_timeout + config.read_timeout <= CHANGE
