"""The record of AWS calls: who asked for what, when, and what came of it."""

from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any

from app.simulator.clock import utc_now

KEPT = 10_000
GROUP_FILTER = "tag:aws:autoscaling:groupName"


@dataclass(slots=True)
class Call:
    """One AWS call from outside, from its arrival (`at`) until its effect was there, or refused (`ended_at`).

    `outcome` is `under way`, `ok`, an error code, `html`, `dropped`, or any of them with `, answer lost`.
    """

    service: str
    action: str
    params: dict[str, str]
    caller: str
    agent: str
    at: str = field(default_factory=lambda: utc_now().isoformat())
    ended_at: str | None = None
    outcome: str = "under way"
    status: int | None = None

    @property
    def groups(self) -> frozenset[str]:
        """The Auto Scaling groups it names, by name or by the tag that AWS gives their instances."""
        named = [
            "AutoScalingGroupName",  # and AutoScalingGroupNames
            *(
                f"{name.removesuffix('Name')}Value"
                for name, value in self.params.items()
                if name.startswith("Filter.") and value == GROUP_FILTER
            ),
        ]
        return frozenset(value for name, value in self.params.items() if name.startswith(tuple(named)))

    def end(self, outcome: str, status: int | None = None) -> None:
        """Write down how it ended, and when."""
        self.outcome, self.status, self.ended_at = outcome, status, utc_now().isoformat()


class Calls:
    """The last calls in the order of their arrival, and how often each action was asked for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()

    def begin(self, call: Call) -> None:
        """Take note of a call that arrived."""
        with self._lock:
            self._calls.append(call)
            self._counts[call.action] += 1

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()
            self._counts.clear()

    def as_json(self) -> dict[str, Any]:
        """Render the counts and the calls, oldest first."""
        with self._lock:
            return {"counts": dict(self._counts), "calls": [asdict(call) for call in self._calls]}
