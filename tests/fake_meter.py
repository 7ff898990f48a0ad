"""The Meter port: remembers what it was told."""

from app.domain.model import EndReason, PoolName
from app.ports import AllocationOutcome, MessageOutcome


class FakeMeter:
    """Each list has one entry a call, without the time that it took; `times` has those."""

    def __init__(self) -> None:
        self.allocations: list[tuple[PoolName, AllocationOutcome]] = []
        self.ready: list[PoolName] = []
        self.ends: list[tuple[PoolName, EndReason]] = []
        self.passes: list[tuple[PoolName, bool]] = []
        self.aws_calls: list[tuple[str, str]] = []
        self.probes: list[tuple[PoolName, int, int]] = []
        self.heartbeats: list[tuple[PoolName, int, int]] = []
        self.leading: list[bool] = []
        self.attempts: list[MessageOutcome] = []
        self.requests: list[tuple[str, str, int]] = []
        self.times: list[float] = []

    def allocated(self, pool: PoolName, outcome: AllocationOutcome, took: float) -> None:
        self.allocations.append((pool, outcome))
        self.times.append(took)

    def became_ready(self, pool: PoolName, took: float) -> None:
        self.ready.append(pool)
        self.times.append(took)

    def ended(self, pool: PoolName, reason: EndReason) -> None:
        self.ends.append((pool, reason))

    def passed(self, pool: PoolName, *, succeeded: bool, took: float) -> None:
        self.passes.append((pool, succeeded))
        self.times.append(took)

    def aws_answered(self, action: str, outcome: str, took: float) -> None:
        self.aws_calls.append((action, outcome))
        self.times.append(took)

    def probed(self, pool: PoolName, *, ready: int, silent: int) -> None:
        self.probes.append((pool, ready, silent))

    def heard(self, pool: PoolName, *, told: int, silent: int) -> None:
        self.heartbeats.append((pool, told, silent))

    def sent(self, outcome: MessageOutcome) -> None:
        self.attempts.append(outcome)

    def leads(self, leading: bool) -> None:
        self.leading.append(leading)

    def request_answered(self, method: str, route: str, status: int, took: float) -> None:
        self.requests.append((method, route, status))
        self.times.append(took)
