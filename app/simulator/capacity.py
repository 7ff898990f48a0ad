"""How much AWS gives: a limit on instances, and the words in which AWS says no."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

CapacityKind = Literal["capacity", "quota", "configuration"]

# Auto Scaling user guide, "Troubleshoot instance launch failures"; the same texts stand in
# kubernetes/autoscaler#1263 and its likes. Clients match parts of them.
REFUSALS: dict[CapacityKind, str] = {
    "capacity": (
        "We currently do not have sufficient {type} capacity in the Availability Zone you requested ({zone})."
        " Our system will be working on provisioning additional capacity. You can currently get {type}"
        " capacity by not specifying an Availability Zone in your request or choosing {others}."
        " Launching EC2 instance failed."
    ),
    "quota": (
        "You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the"
        " instance bucket that the specified instance type belongs to. Please visit"
        " http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
        " Launching EC2 instance failed."
    ),
    "configuration": "The key pair 'vscode' does not exist. Launching EC2 instance failed.",
}


@dataclass(slots=True)
class Capacity:
    """At most `limit` live instances; None = as many as anybody wants."""

    limit: int | None = None
    kind: CapacityKind = "capacity"

    def set(self, limit: int | None, kind: str) -> None:
        """Change the limit. Raises ValueError for what cannot be one."""
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise ValueError("limit must be a number of instances from 0, or null for no limit")
        if kind not in get_args(CapacityKind):
            raise ValueError(f"kind must be one of {', '.join(get_args(CapacityKind))}")
        self.limit, self.kind = limit, next(known for known in get_args(CapacityKind) if known == kind)

    def room(self, alive: int) -> float:
        """How many more fit beside the living."""
        return math.inf if self.limit is None else max(0, self.limit - alive)

    def refusal(self, instance_type: str, zone: str, others: list[str]) -> str:
        """Say no, as AWS says it in a scaling activity's StatusMessage."""
        return REFUSALS[self.kind].format(
            type=instance_type, zone=zone, others=", ".join(others) or "another region", limit=self.limit
        )
