"""A simulated cloud with a group of one, whose answers are the pattern for groups of thousands."""

from typing import Self

import urllib3

from app.simulator.cloud import SimulatedCloud
from app.simulator.config import CloudConfig
from bench.replay import ADDRESS, ID, ZONE
from tests.waiting import until

VERSIONS = {"autoscaling": "2011-01-01", "ec2": "2016-11-15"}


class Pattern:
    """Lives as long as the block; its one instance runs from the beginning."""

    def __init__(self) -> None:
        self._cloud = SimulatedCloud(
            CloudConfig(
                bind="127.0.0.1:0", desired=1, worker="none", boot_seconds=0, network="127.123.0.0/16"
            )
        )

    def __enter__(self) -> Self:
        self._cloud.start()
        try:
            until(lambda: self._instance["lifecycle"] == "InService", what="the one instance to run")
        except BaseException:
            self._cloud.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cloud.stop()

    @property
    def id(self) -> str:
        """The one instance."""
        return str(self._instance["id"])

    @property
    def gaps(self) -> dict[str, str]:
        """What is of this instance alone, and what is written there in its place."""
        address, zone = str(self._instance["address"]), str(self._instance["zone"])
        return {self.id.removeprefix("i-"): ID, address: ADDRESS, zone: ZONE}

    @property
    def _instance(self) -> dict[str, object]:
        found: list[dict[str, object]] = self._cloud.state()["instances"]
        return found[0] if found else {"lifecycle": None}

    def ask(self, service: str, action: str) -> str:
        """Call an action, written as it stands in a form, and return the answer."""
        signature = f"Credential=A/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        answer = urllib3.request(
            "POST",
            self._cloud.url,
            body=f"Action={action}&Version={VERSIONS[service]}",
            headers={
                "Authorization": f"AWS4-HMAC-SHA256 {signature}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        text = answer.data.decode()
        if answer.status != 200:  # noqa: PLR2004
            raise RuntimeError(text)
        return text
