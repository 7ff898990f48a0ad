"""After the storm: everybody gets what is theirs from each replica, and the pool comes to rest."""

import random  # noqa: TID251 - nothing is left to it here
import time
from datetime import datetime
from typing import Any

from tests.e2e.replicas.fleet import Fleet
from tests.e2e.replicas.users import Anywhere
from tests.e2e.soak.cloud import Note
from tests.e2e.soak.facts import Calm, now
from tests.e2e.soak.users import Memory

ROUNDS = 6
DEMAND_LASTS = 32.0
"""So long, and a little, a project that was refused counts as waiting: desired is raised for it."""


class Rest:
    """Settles what the users have left open, and then looks how it stands."""

    def __init__(self, fleet: Fleet, memory: Memory, note: Note, *, buffer: int, bound: float) -> None:
        self._fleet = fleet
        self._memory = memory
        self._note = note
        self._buffer = buffer
        self._bound = bound
        self._begun = now()
        self._asking = [Anywhere([replica], note, random.Random(0)) for replica in fleet.replicas]

    def come(self) -> Calm:
        """Return how it stands once all is quiet, or when the time is over."""
        try:
            self._release_what_was_let_go()
            refused = self._ask_each_replica()
            self._end_what_nobody_knows_of()
            return self._calm(self._use_up(), refused)
        finally:
            for asking in self._asking:
                asking.close()

    def _release_what_was_let_go(self) -> None:
        for instance, project in list(self._memory.owed.items()):
            self._release(instance, project)
            self._memory.paid(instance)

    def _release(self, instance: str, project: str | None) -> None:
        while not self._asking[0].release(instance, project) and self._in_time:
            time.sleep(0.2)  # noqa: TID251 - a client that tries again

    def _ask_each_replica(self) -> tuple[str, ...]:
        """Let every project ask all replicas that holds something, or was refused lately; who got nothing."""
        lately = now() - DEMAND_LASTS
        waiting = [project for project, at in self._memory.unmet.items() if at > lately]
        self._memory.unmet.clear()
        refused = set()
        for project in dict.fromkeys([*self._memory.held, *waiting]):
            for asking in self._asking:
                claim = asking.claim(project)
                while claim.instance is None and self._in_time:
                    time.sleep(0.5)  # noqa: TID251 - a client that asks again
                    claim = asking.claim(project)
                self._memory.note(claim)
                if claim.instance is None:
                    refused.add(project)
        return tuple(sorted(refused))

    def _end_what_nobody_knows_of(self) -> None:
        """Release, as an operator would, what is used without any user's knowledge: by lost answers."""
        known = set(self._memory.held.values())
        for machine in self._settled()["machines"]:
            if machine["isUsed"] and machine["machineId"] not in known:
                self._release(machine["machineId"], machine["assignedProject"])

    def _use_up(self) -> dict[str, Any]:
        """Claim and release what is idle beyond the buffer: desired goes down in no other way."""
        status = self._settled()
        for turn in range(ROUNDS):
            excess = status["idleMachines"] - self._buffer
            if excess <= 0 or not self._in_time:
                break
            claims = [self._asking[0].claim(f"guest-{turn}-{number}") for number in range(excess)]
            self._settled()
            for claim in claims:
                if claim.instance is not None:
                    self._release(claim.instance, claim.project)
            status = self._settled()
        return status

    def _settled(self) -> dict[str, Any]:
        """The status once nobody waits, nothing moves and passes have seen that, or when the time is over.

        Who was refused and asks no more counts as demand for a while: instances are launched for it, and what
        is used up before that is over is launched again. Of two passes the second has begun after that.
        """
        since, passes = now(), set[str]()
        while True:
            status = self._asking[0].status()
            if status is not None:
                passed = status["lastPassAt"]
                if not self._is_at_rest(status):
                    since, passes = now(), set()
                elif passed is not None and datetime.fromisoformat(passed).timestamp() > since:
                    passes.add(passed)
                if len(passes) >= 2 or not self._in_time:
                    return status
            assert now() < self._begun + 2 * self._bound, "the service does not answer /status"
            time.sleep(0.25)  # noqa: TID251 - each look costs the service work that it would rather do

    def _is_at_rest(self, status: dict[str, Any]) -> bool:
        """Whether the buffer is met, nobody waits, and nothing comes or goes, nor is asked for."""
        moving = status["bootingMachines"] + status["terminatingMachines"] + status["waitingProjects"]
        full = status["idleMachines"] >= self._buffer
        return full and not moving and status["desiredCapacity"] == status["totalMachines"]

    def _calm(self, status: dict[str, Any], refused: tuple[str, ...]) -> Calm:
        listed = [one for one in status["machines"] if one["state"] in {"idle", "allocated"}]
        calm = Calm(
            at=now(),
            seconds=now() - self._begun,
            bound=self._bound,
            buffer=self._buffer,
            idle=status["idleMachines"],
            used=status["usedMachines"],
            booting=status["bootingMachines"],
            terminating=status["terminatingMachines"],
            total=status["totalMachines"],
            desired=status["desiredCapacity"],
            reason=None,
            listed=frozenset(one["machineId"] for one in listed),
            members=frozenset(self._fleet.cloud.members("InService")),
            alive=self._fleet.cloud.alive(),
            refused=refused,
        )
        self._note(calm)
        return calm

    @property
    def _in_time(self) -> bool:
        return now() < self._begun + self._bound
