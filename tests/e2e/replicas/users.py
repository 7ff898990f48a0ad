"""How users of several replicas ask: each request at any one of them, over a connection of its own."""

import random  # noqa: TID251 - which one comes from the seed
from collections import deque
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

import httpx

from tests.e2e.replicas.facts import Answer
from tests.e2e.replicas.fleet import Replica
from tests.e2e.soak.cloud import Note
from tests.e2e.soak.facts import now
from tests.e2e.soak.users import PATIENCE, Caller, Memory

WHAT = {"destroy": "release", "status": "status", "healthz": "healthz", "renew": "renewal"}
"""What is asked for by the last word of its path; every other one is a claim."""
LOOK_EVERY = 0.5
STOCK = 5
"""So many the regular holds when the storm begins."""


class Anywhere(Caller):
    """Asks one of some replicas, each time another one, by chance."""

    def __init__(self, some: Sequence[Replica], note: Note, chance: random.Random) -> None:
        super().__init__(some[0].url, note)
        self._some = some
        self._chance = chance

    def healthz(self) -> bool:
        _, answer, _ = self._send("GET", "/healthz")
        return answer is not None and answer.status_code == 200

    def _send(self, method: str, path: str, **more: Any) -> tuple[float, httpx.Response | None, str | None]:
        replica = self._one()
        begun, answer, error = super()._send(method, f"{replica.url}{path}", **more)
        status = None if answer is None else answer.status_code
        self._note(
            Answer(
                at=begun,
                until=now(),
                status=status,
                code=error if answer is None else _code(answer),
                proper=answer is None or answer.is_success or _is_problem(answer),
                replica=replica.number,
                what=WHAT.get(path.rpartition("/")[2], "claim"),
            )
        )
        if answer is not None:
            replica.answered(begun)
        return begun, answer, error

    def _url(self, path: str) -> str:
        return f"{self._one().url}{path}"

    def _one(self) -> Replica:
        return self._chance.choice(self._some)


class Watcher:
    """Asks one replica for its health all the time, as a load balancer does."""

    def __init__(self, replica: Replica, note: Note, stop: Event) -> None:
        self._caller = Anywhere([replica], note, random.Random(0))
        self._stop = stop
        self.thread = Thread(target=self._watch, name=f"watcher {replica.number}", daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            self._caller.healthz()
        self._caller.close()


class Regular:
    """Has some since before the storm, asks for them again all the time, and gives one back where told to.

    So there is somebody to be served at any time: all others may hold nothing, and be refused, by chance.
    """

    def __init__(self, caller: Caller, memory: Memory, stop: Event) -> None:
        self._caller = caller
        self._memory = memory
        self._stop = stop
        self._mine = deque(f"regular-{number}" for number in range(STOCK))
        self._over: list[str] = []
        self._told = 0
        self.crash: BaseException | None = None
        self.thread = Thread(target=self._live, name="regular", daemon=True)

    def come(self) -> None:
        """Get them, in fine weather."""
        for project in self._mine:
            claim = self._caller.claim_with(project, wait=PATIENCE)
            assert claim.instance is not None, f"in fine weather: {claim.told()}"
            self._memory.note(claim)

    def give_one_back(self) -> None:
        """Have it release one more of them, as long as it has any but one."""
        self._told += 1

    def _live(self) -> None:
        try:
            while not self._stop.wait(LOOK_EVERY):
                self._caller.status()
                if len(self._over) < self._told and len(self._mine) > 1:
                    self._over.append(self._mine.popleft())
                    self._memory.let_go(self._over[-1])
                self._pay()
                self._caller.claim(self._mine[0])
        except BaseException as error:  # noqa: BLE001 - a bug of the storm must not pass for a quiet user
            self.crash = error
        finally:
            self._caller.close()

    def _pay(self) -> None:
        with self._memory.lock:
            owed = [(one, of) for one, of in self._memory.owed.items() if of in self._over]
        for instance, project in owed:
            if self._caller.release(instance, project):
                self._memory.paid(instance)


def _is_problem(answer: httpx.Response) -> bool:
    """Whether it is a problem; one that passes says when to ask again."""
    problem = answer.headers.get("Content-Type", "").startswith("application/problem+json")
    return problem and (answer.status_code != 503 or answer.headers.get("Retry-After", "").isdigit())


def _code(answer: httpx.Response) -> str | None:
    if answer.is_success:
        return None
    try:
        body = answer.json()
    except ValueError:
        return None
    return body.get("code") if isinstance(body, dict) else None
