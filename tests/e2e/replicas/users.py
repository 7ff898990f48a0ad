"""How users of several replicas ask: each request at any one of them, over a connection of its own."""

import random  # noqa: TID251 - which one comes from the seed
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

import httpx

from tests.e2e.replicas.facts import Answer
from tests.e2e.replicas.fleet import Replica
from tests.e2e.soak.cloud import Note
from tests.e2e.soak.facts import now
from tests.e2e.soak.users import Caller

WHAT = {"destroy": "release", "status": "status", "healthz": "healthz", "renew": "renewal"}
"""What is asked for by the last word of its path; every other one is a claim."""
LOOK_EVERY = 0.5


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
