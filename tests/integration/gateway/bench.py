"""What tests of the gateway work with: one that has not looked yet, and the cloud behind it."""

from collections.abc import Callable

from app.aws import AwsCloud, Connection
from app.domain.model import InstanceId, Observation
from app.simulator.cloud import SimulatedCloud
from app.simulator.faults import Fault
from tests.fakes import FakeClock
from tests.simulated import GROUP, Operator
from tests.waiting import until

GROUPS = "DescribeAutoScalingGroups"
MEMBERS = "DescribeAutoScalingInstances"
DETAILS = "DescribeInstances"
ACTIVITIES = "DescribeScalingActivities"


class Bench:
    """A gateway that has not looked yet, the cloud behind it, and the calls that arrived there."""

    def __init__(self, simulated: SimulatedCloud, connection: Connection) -> None:
        self.simulated = simulated
        self.connection = connection
        self.operator = Operator(simulated)
        self.clock = FakeClock()
        self.confirm: Callable[[], None] = lambda: None
        self.cloud = AwsCloud(
            connection, group=GROUP, address="private", clock=self.clock, confirm=self._confirm
        )

    def _confirm(self) -> None:
        self.confirm()

    def grown(self, count: int) -> list[InstanceId]:
        """Give the group so many members, in service."""
        self.simulated.change_group({"desired": count})
        return self.settle(count)

    def settle(self, count: int) -> list[InstanceId]:
        """Wait until the group has this many members in service; return their ids, and forget the calls."""

        def settled() -> list[InstanceId]:
            instances = self.simulated.state()["instances"]
            ids = [InstanceId(one["id"]) for one in instances if one["lifecycle"] == "InService"]
            return ids if len(ids) == count else []

        ids = until(settled, what=f"{count} members in service")
        self.simulated.calls.clear()
        return ids

    def calls(self, during: Callable[[], object]) -> dict[str, int]:
        """Do something, and count the calls that this makes, by action."""
        self.simulated.calls.clear()
        during()
        counts: dict[str, int] = self.simulated.calls.as_json()["counts"]
        return counts

    def sent(self) -> list[dict[str, str]]:
        """List the parameters of the calls that arrived."""
        return [call["params"] for call in self.simulated.calls.as_json()["calls"]]

    def look(self) -> Observation:
        return self.cloud.observe(())

    def fault(self, action: str, kind: str = "error", **fields: object) -> None:
        """Let calls of this action fail from now on."""
        self.simulated.faults.add(Fault(kind, action, **fields))  # type: ignore[arg-type]

    def deny(self, action: str) -> None:
        self.fault(action, code="AccessDenied", status=403, message="User: x is not authorized to perform")

    def throttle(self, action: str) -> None:
        self.fault(action, code="Throttling", status=400, message="Rate exceeded")
