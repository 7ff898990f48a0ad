"""The simulated cloud of a soak: it writes down each change of the group as it happens."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from app.simulator.activities import Activity
from app.simulator.calls import Call, Calls
from app.simulator.group import Group
from app.simulator.instances import PROJECT_TAG
from tests.e2e.aws import Aws
from tests.e2e.soak.facts import AwsCall, Denial, DesiredWritten, Fact, Launched, Retired, now

DENIALS = frozenset({"AccessDenied", "UnauthorizedOperation"})
GONE = frozenset({"shutting-down", "terminated"})

Note = Callable[[Fact], None]


class WatchedGroup(Group):
    """A group that tells who changed it. Its state lives in the group it takes the place of."""

    note: Note
    _others = False
    _asked = False

    def resize(self, minimum: int | None, maximum: int | None, desired: int | None) -> None:
        self._others = True
        try:
            super().resize(minimum, maximum, desired)
        finally:
            self._others = False

    def set_desired_capacity(self, new_capacity: int | None) -> None:
        before = self.desired_capacity
        super().set_desired_capacity(new_capacity)
        if not self._others or self.desired_capacity != before:
            self.note(
                DesiredWritten(at=now(), before=before, after=self.desired_capacity, others=self._others)
            )

    def terminate(self, member: Any, *, decrement: bool) -> Activity:
        self._asked = True
        try:
            return super().terminate(member, decrement=decrement)
        finally:
            self._asked = False

    def _retire(self, member: Any, cause: str) -> Activity:
        by = "service" if self._asked else "unhealthy" if "health" in cause else "scale-in"
        self.note(Retired(at=now(), instance=member.instance_id, by=by))
        return super()._retire(member, cause)

    def _launch(self, subnet: str, count: int, before: int) -> None:
        super()._launch(subnet, count, before)
        self.note(Launched(at=now(), count=count))


class WatchedCalls(Calls):
    """The record of calls, in slices: what is finished is counted and forgotten."""

    def __init__(self, note: Note) -> None:
        super().__init__()
        self._note = note
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """How often each action ended in each way."""

    def begin(self, call: Call) -> None:
        desired = call.params.get("DesiredCapacity")
        self._note(
            AwsCall(
                at=now(),
                action=call.action,
                instance=call.params.get("InstanceId"),
                desired=int(desired) if desired else None,
            )
        )
        super().begin(call)

    def slice(self) -> None:
        with self._lock:
            finished = [call for call in self._calls if call.outcome != "under way"]
            under_way = [call for call in self._calls if call.outcome == "under way"]
            self._calls.clear()
            self._calls.extend(under_way)
        for call in finished:
            self.outcomes[call.action, call.outcome] += 1
            if call.outcome in DENIALS:
                self._note(Denial(at=datetime.fromisoformat(call.at).timestamp(), action=call.action))


class WatchedCloud(Aws):
    """An `Aws` whose every change is noted."""

    def __init__(self, note: Note, **changes: Any) -> None:
        super().__init__(**changes)
        self._note = note
        self.seen: WatchedCalls = WatchedCalls(note)
        self.calls = self.seen
        self._http = httpx.Client(trust_env=False, verify=False, timeout=30)

    def start(self) -> None:
        super().start()
        with self._lock:
            group = self._account.group
            group.__class__ = WatchedGroup
            group.note = self._note

    def stop(self) -> None:
        self._http.close()
        super().stop()

    def control(self, method: str, path: str, **body: Any) -> Any:
        """Use the control API, over one connection: a client each would cost more than the rest."""
        answer = self._http.request(method, f"{self.url}/_cloud/{path}", json=body or None)
        assert answer.is_success, answer.text
        return answer.json()

    def staying(self) -> dict[str, dict[str, Any]]:
        """Members that are not on their way out, by id."""
        return {
            one["id"]: one
            for one in self.state()["instances"]
            if one["lifecycle"] in {"Pending", "InService"} and one["state"] in {"pending", "running"}
        }

    def alive(self) -> frozenset[str]:
        return frozenset(one["id"] for one in self.state()["instances"] if one["state"] not in GONE)

    def tagged(self) -> dict[str, str]:
        """Who holds what, by the tags of the members that stay."""
        return {
            instance: one["tags"][PROJECT_TAG]
            for instance, one in self.staying().items()
            if PROJECT_TAG in one["tags"]
        }
