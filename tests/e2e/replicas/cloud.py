"""The simulated cloud, with a list of every call that changes something: whose it was, and its times."""

import re
from datetime import datetime
from typing import Any

from app.simulator.calls import Call
from tests.e2e.aws import SET_DESIRED, TERMINATE
from tests.e2e.replicas.facts import Write
from tests.e2e.soak.checks import NOBODY, PROTECT
from tests.e2e.soak.cloud import Note, WatchedCalls, WatchedCloud
from tests.e2e.soak.record import NEVER

ABSURD_SIZE = str(2**31 - 1)
HOLDER = re.compile(r"ec2-orchestrator/(\S+)")


class Writes(WatchedCalls):
    """A record of calls that keeps those that change something, or would, to the end."""

    def __init__(self, note: Note) -> None:
        super().__init__(note)
        self._changes: list[Call] = []

    def begin(self, call: Call) -> None:
        if not call.action.startswith("Describe") and not _is_trial(call):
            self._changes.append(call)
        super().begin(call)

    def told(self) -> list[Write]:
        """Each of them so far, oldest first; one under way has no end yet."""
        return [_write(call) for call in list(self._changes)]


class WrittenCloud(WatchedCloud):
    """A cloud that tells who wrote."""

    def __init__(self, note: Note, **changes: Any) -> None:
        super().__init__(note, **changes)
        self.writes = Writes(note)
        self.seen = self.calls = self.writes


def writer(call: Call) -> str:
    """The replica a call came from: as it names itself, or else by its access key."""
    named = HOLDER.search(call.agent)
    return named[1] if named else call.caller


def _write(call: Call) -> Write:
    return Write(
        at=datetime.fromisoformat(call.at).timestamp(),
        until=NEVER if call.ended_at is None else datetime.fromisoformat(call.ended_at).timestamp(),
        writer=writer(call),
        action=call.action,
        outcome=call.outcome,
    )


def _is_trial(call: Call) -> bool:
    """Whether it is one of the doctor's, that ask for a permission and can change nothing."""
    return (
        call.params.get("DryRun") == "true"
        or (call.action == SET_DESIRED and call.params.get("DesiredCapacity") == ABSURD_SIZE)
        or (call.action == TERMINATE and call.params.get("InstanceId") == NOBODY)
        or (call.action == PROTECT and call.params.get("InstanceIds.member.1") == NOBODY)
    )
