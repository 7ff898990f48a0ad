"""The simulated cloud, as the tests of this folder use it: started in this process, and asked what it saw."""

from typing import Any

import httpx

from app.simulator.cloud import SimulatedCloud
from app.simulator.config import CloudConfig
from tests.e2e.processes import a_free_port
from tests.networks import a_network

SET_DESIRED = "SetDesiredCapacity"
TERMINATE = "TerminateInstanceInAutoScalingGroup"
DECREMENT = "ShouldDecrementDesiredCapacity"


class Aws(SimulatedCloud):
    """A cloud that is fast, and where no two tests meet."""

    def __init__(self, **changes: Any) -> None:
        fast: dict[str, Any] = {
            "bind": "127.0.0.1:0",
            "network": a_network(),
            "worker_port": a_free_port(),
            "boot_seconds": 0.2,
            "terminate_seconds": 0.1,
            "replace_seconds": 0.1,
            "retry_seconds": 0.1,
            "max_size": 100,
        }
        super().__init__(CloudConfig(**{**fast, **changes}))

    @property
    def settings(self) -> dict[str, str]:
        """What a service needs to use this cloud."""
        return {
            "AWS_ACCESS_KEY": "simulated",
            "AWS_SECRET_KEY": "simulated",
            "AWS_REGION": self.config.region,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "ORCHESTRATOR_INSTANCE_PORT": str(self.config.worker_port),
            "ORCHESTRATOR_READINESS": "off" if self.config.worker == "none" else "http",
        }

    def control(self, method: str, path: str, **body: Any) -> Any:
        """Use the control API."""
        answer = httpx.request(
            method, f"{self.url}/_cloud/{path}", json=body or None, timeout=30, trust_env=False
        )
        assert answer.is_success, answer.text
        return answer.json()

    def fault(self, **rule: Any) -> None:
        self.control("POST", "faults", **rule)

    def lift_faults(self) -> None:
        self.control("DELETE", "faults")

    def group(self) -> dict[str, Any]:
        group: dict[str, Any] = self.state()["group"]
        return group

    def members(self, lifecycle: str | None = None) -> dict[str, dict[str, Any]]:
        """The group's instances, by id; those in one lifecycle state where it is named."""
        found = self.state()["instances"]
        return {one["id"]: one for one in found if one["lifecycle"] and lifecycle in {None, one["lifecycle"]}}

    def record(self, *actions: str) -> list[dict[str, Any]]:
        """The AWS calls so far that succeeded, oldest first; of these actions alone where any are named."""
        calls = self.calls.as_json()["calls"]
        return [
            call for call in calls if call["outcome"] == "ok" and (not actions or call["action"] in actions)
        ]

    def asked(self, action: str, **params: str) -> int:
        """How often an action was called with these parameters: whatever came of it, also calls under way.

        Some seconds after the start an examination asks for changes as well, which AWS must refuse: to end
        an instance that cannot exist, for an absurd size. Who counts those of the service names parameters.
        """
        calls = self.calls.as_json()["calls"]
        return sum(call["action"] == action and params.items() <= call["params"].items() for call in calls)

    def sizes(self) -> list[int]:
        """Desired capacity as the service made it, step by step from the start configuration."""
        sizes = [self.config.desired]
        for call in self.record(SET_DESIRED, TERMINATE):
            if call["action"] == SET_DESIRED:
                sizes.append(int(call["params"]["DesiredCapacity"]))
            elif call["params"][DECREMENT] == "true":
                sizes.append(sizes[-1] - 1)
        return sizes

    def lowered(self) -> list[tuple[int, int]]:
        """Each SetDesiredCapacity that did not raise what it found: must be empty."""
        sizes = self.sizes()
        calls = self.record(SET_DESIRED, TERMINATE)
        return [
            (before, after)
            for call, before, after in zip(calls, sizes, sizes[1:], strict=False)
            if call["action"] == SET_DESIRED and after <= before
        ]
