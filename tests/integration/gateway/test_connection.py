"""The connection to AWS: made when it is needed, and made anew."""

from pathlib import Path

import pytest

from app.aws import AwsCloud, Connection
from app.domain.errors import (
    BadCredentials,
    Unexpected,
)
from tests.fakes import FakeClock
from tests.integration.gateway.bench import GROUPS, Bench
from tests.simulated import GROUP, KEYS


def test_a_connection_does_nothing_until_it_is_used() -> None:
    Connection(region="no such region")


def test_a_connection_that_cannot_be_made_raises_our_error() -> None:
    connection = Connection(region="no such region", keys=KEYS)
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
    found = Connection(region=bench.simulated.config.region, endpoint_url=bench.simulated.url)
    cloud = AwsCloud(found, group=GROUP, address="private", clock=FakeClock(), confirm=lambda: None)
    bench.fault(GROUPS, code="ExpiredToken", status=403, times=1)
    with pytest.raises(BadCredentials):
        cloud.observe(())
    keys.write_text("[default]\naws_access_key_id = NEW\naws_secret_access_key = x\n")
    cloud.observe(())
    assert [call["caller"] for call in bench.simulated.calls.as_json()["calls"]] == ["OLD", "NEW", "NEW"]
