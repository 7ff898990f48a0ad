"""A simulated cloud that could be reached from elsewhere, or that cannot be, is refused when written down."""

from typing import Any

import pytest

from app.simulator.config import CloudConfig


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bind": "0.0.0.0:9093"}, "bind must be a loopback address"),
        ({"bind": "192.168.1.1:9093"}, "bind must be a loopback address"),
        ({"bind": "9093"}, "bind must be HOST:PORT"),
        ({"bind": "127.0.0.1:99999"}, "a port is a number"),
        ({"network": "10.0.0.0/16"}, "network must lie in 127.0.0.0/8"),
        ({"network": "127.0.0.0/8"}, "network must lie in 127.0.0.0/8 and be /16 to /24"),
        ({"network": "127.66.0.1/16"}, "network an IPv4 network"),
        ({"min_size": 3, "desired": 2}, "sizes must be"),
        ({"max_size": 1, "desired": 2}, "sizes must be"),
        ({"boot_seconds": -1}, "boot-seconds must not be negative"),
        ({"heartbeat_seconds": -1}, "heartbeat-seconds must not be negative"),
        ({"latency": -1}, "latency must not be negative"),
        ({"worker": "emacs"}, "worker must be one of"),
        ({"worker_port": 0}, "a port is a number"),
    ],
)
def test_a_cloud_that_cannot_be_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CloudConfig(**changes)


def test_localhost_is_a_loopback_address() -> None:
    config = CloudConfig(bind="localhost:0")
    assert (config.host, config.port) == ("127.0.0.1", 0)
