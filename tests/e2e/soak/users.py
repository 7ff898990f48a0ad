"""Users of a soak: they claim, ask again, race each other, release, and look at /status."""

import random  # noqa: TID251 - what they do comes from the seed of the soak
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from threading import Event, Lock, Thread
from typing import Any

import httpx

from tests.e2e.soak.cloud import Note
from tests.e2e.soak.facts import Claim, HungUp, Release, ReleaseSent, Renewal, StatusRead, now
from tests.waiting import until

ANSWERS_WITHIN = 20.0
RACERS = 3
BACK_OFF = 5
"""So many times as long as usual a user waits where the connection broke."""
MOST_HELD = 3
"""Projects that one user holds at once."""
TTL = 4
"""Seconds for which one is held that ends by itself, or is renewed."""
BRIEF = 2
"""Seconds for which one is held that ends by itself before the storm."""
PATIENCE = 10.0
"""Seconds to wait in line before the storm."""
FILLED_WITHIN = 60.0


class Caller:
    """Sends requests, each over a connection of its own, and notes what became of them."""

    def __init__(self, url: str, note: Note) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)  # or a closed one would look like a broken one
        self._http = httpx.Client(
            base_url=url, timeout=ANSWERS_WITHIN, trust_env=False, verify=False, limits=limits
        )
        self._note = note

    def close(self) -> None:
        self._http.close()

    def claim(self, project: str) -> Claim:
        begun, answer, code = self._send("GET", f"/{project}")
        body = _body(answer)
        status = answer.status_code if answer is not None else None
        given = status in {200, 201}
        proper = body.get("projectId") == project and "machineId" in body if given else _proper(answer)
        claim = Claim(
            at=begun,
            until=now(),
            status=status,
            code=code or body.get("code"),
            proper=proper,
            project=project,
            instance=body.get("machineId") if given else None,
        )
        self._note(claim)
        return claim

    def claim_with(self, project: str, *, wait: float = 0.0, ttl: int | None = None) -> Claim:
        """Claim through v1, for who waits in line, or wants it for a limited time."""
        wanted = {"wait": wait, "ttl": ttl}
        begun, answer, code = self._send("PUT", f"/v1/allocations/{project}", json=wanted)
        claim = Claim(**self._told(begun, answer, code, project), wait=wait, ttl=ttl)
        self._note(claim)
        return claim

    def renew(self, project: str, ttl: int) -> Renewal:
        path = f"/v1/allocations/{project}/renew"
        begun, answer, code = self._send("POST", path, json={"ttl": ttl})
        renewal = Renewal(**self._told(begun, answer, code, project))
        self._note(renewal)
        return renewal

    def wait_and_hang_up(self, project: str, *, after: float) -> Claim | None:
        """Stand in line for ten seconds, and go away before; the claim where one was answered in time."""
        begun = now()
        try:
            path = self._url(f"/v1/allocations/{project}")
            answer = self._http.put(path, json={"wait": 10}, timeout=after)
        except httpx.TimeoutException:  # the connection is closed by now
            self._note(HungUp(at=now(), project=project, since=begun + after))
            return None
        except httpx.TransportError as error:
            claim = Claim(**self._told(begun, None, type(error).__name__, project), wait=10.0)
        else:
            claim = Claim(**self._told(begun, answer, None, project), wait=10.0)
        self._note(claim)
        return claim

    def _told(
        self, begun: float, answer: httpx.Response | None, code: str | None, project: str
    ) -> dict[str, Any]:
        """What is told of an allocation by v1, as a claim and a renewal note it."""
        body = _body(answer)
        status = answer.status_code if answer is not None else None
        given = status in {200, 201}
        ends = body.get("expiresAt")
        return {
            "at": begun,
            "until": now(),
            "status": status,
            "code": code or body.get("code"),
            "proper": body.get("project") == project and "instance" in body if given else _proper(answer),
            "project": project,
            "instance": body.get("instance") if given else None,
            "ends_at": datetime.fromisoformat(ends).timestamp() if given and ends else None,
        }

    def release(self, instance: str, project: str | None) -> bool:
        """Whether it is certain now that it was done."""
        self._note(ReleaseSent(at=now(), instance=instance, project=project))
        begun, answer, code = self._send("POST", "/destroy", json={"machineId": instance})
        status = answer.status_code if answer is not None else None
        body = _body(answer)
        proper = body.get("state") == "terminating" if status == 200 else _proper(answer)
        self._note(
            Release(
                at=begun,
                until=now(),
                status=status,
                code=code or body.get("code"),
                proper=proper,
                instance=instance,
            )
        )
        return status in {200, 404}

    def status(self) -> dict[str, Any] | None:
        begun, answer, code = self._send("GET", "/status")
        body = _body(answer)
        status = answer.status_code if answer is not None else None
        figures: dict[str, Any] = {}
        if status == 200:
            figures = {
                "idle": body["idleMachines"],
                "used": body["usedMachines"],
                "total": body["totalMachines"],
                "held": tuple(
                    (machine["machineId"], machine["assignedProject"])
                    for machine in body["machines"]
                    if machine["isUsed"]
                ),
            }
        self._note(
            StatusRead(
                at=begun,
                until=now(),
                status=status,
                code=code or body.get("code"),
                proper=status == 200 or _proper(answer),
                **figures,
            )
        )
        return body if status == 200 else None

    def undelivered(self) -> int | None:
        """How many messages the webhook has not taken yet, a hundred at most; None where nobody answers."""
        _, answer, _ = self._send("GET", "/v1/webhooks?state=pending&limit=100")
        return len(answer.json()["items"]) if answer is not None and answer.is_success else None

    def _url(self, path: str) -> str:
        """Where to ask for it, if no answer is waited for."""
        return path

    def _send(self, method: str, path: str, **more: Any) -> tuple[float, httpx.Response | None, str | None]:
        begun = now()
        try:
            return begun, self._http.request(method, path, **more), None
        except httpx.TransportError as error:
            return begun, None, type(error).__name__


@dataclass
class Memory:
    """What all users know together. Safe between threads."""

    held: dict[str, str] = field(default_factory=dict)
    """The instance of each project that should have one."""
    owed: dict[str, str | None] = field(default_factory=dict)
    """Instances to release whose release was not answered, and of which project."""
    unmet: dict[str, float] = field(default_factory=dict)
    """Projects that were refused, and when."""
    in_doubt: dict[str, float] = field(default_factory=dict)
    """Projects that may count as demand though nobody asks for them any more, and since when."""
    lock: Lock = field(default_factory=Lock)

    def note(self, claim: Claim) -> None:
        with self.lock:
            if claim.instance is not None:
                self.held[claim.project] = claim.instance
                self.unmet.pop(claim.project, None)
            elif claim.status is not None:
                self.unmet[claim.project] = claim.until
            else:
                self.in_doubt[claim.project] = claim.until

    def let_go(self, project: str) -> str | None:
        """Take a project off the list; its instance is owed until its release is answered."""
        with self.lock:
            instance = self.held.pop(project, None)
            if instance is not None:
                self.owed[instance] = project
            return instance

    def paid(self, instance: str) -> None:
        with self.lock:
            self.owed.pop(instance, None)


def each_once(caller: Caller, *, buffer: int) -> None:
    """Have somebody hang up, an instance released, and a time limit end: chance may leave out each of them.

    In fine weather; the buffer is full afterwards.
    """
    over = _hurried(caller)

    def is_full() -> bool:
        status = caller.status() or {"machines": [], "idleMachines": 0}
        holders = {machine["assignedProject"] for machine in status["machines"] if machine["isUsed"]}
        return status["idleMachines"] >= buffer and holders.isdisjoint(one.project for one in over)

    for claim in over:
        _return(caller, claim)
    until(is_full, within=FILLED_WITHIN, what="a buffer")
    _return(caller, caller.claim_with("returned", wait=PATIENCE))
    over.append(caller.claim_with("brief", wait=PATIENCE, ttl=BRIEF))
    _instance(over[-1])
    until(is_full, within=FILLED_WITHIN, what="the time to be over, and the buffer full again")


def _hurried(caller: Caller) -> list[Claim]:
    """Ask for one after the other, until nothing is there and somebody hangs up; who got one."""
    found: list[Claim] = []
    numbers = count()

    def hung_up() -> bool:
        claim = caller.wait_and_hang_up(f"hasty-{next(numbers)}", after=0.05)
        if claim is not None and claim.instance is not None:
            found.append(claim)
        return claim is None

    until(hung_up, within=FILLED_WITHIN, what="somebody to hang up", every=0)
    return found


def _return(caller: Caller, claim: Claim) -> None:
    instance = _instance(claim)
    until(lambda: caller.release(instance, claim.project), within=FILLED_WITHIN, what="a release")


def _instance(claim: Claim) -> str:
    assert claim.instance is not None, f"in fine weather: {claim.told()}"
    return claim.instance


class User:
    """One thread that does one thing after the other, with pauses, until it is told to stop."""

    def __init__(
        self, name: str, caller: Caller, memory: Memory, *, chance: random.Random, stop: Event, pause: float
    ) -> None:
        self._name = name
        self._caller = caller
        self._memory = memory
        self._chance = chance
        self._stop = stop
        self._pause = pause
        self._mine: list[str] = []
        self._over: list[str] = []
        self._limited: str | None = None
        """The project that holds one for a time."""
        self._numbers = 0
        self._patience = 1
        self._crowd = ThreadPoolExecutor(RACERS)
        self.crash: BaseException | None = None
        self.thread = Thread(target=self._live, name=name, daemon=True)

    def _live(self) -> None:
        try:
            while not self._stop.wait(self._chance.uniform(0.3, 1.7) * self._pause * self._patience):
                self._patience = 1
                self._do_something()
        except BaseException as error:  # noqa: BLE001 - a bug of the soak must not pass for a quiet user
            self.crash = error
        finally:
            self._crowd.shutdown()
            self._caller.close()

    def _do_something(self) -> None:
        full = len(self._mine) >= MOST_HELD
        held = [project for project in self._mine if project in self._memory.held]
        weights = {
            self._claim_new: 0 if full else 4,
            self._race: 0 if full else 1,
            self._ask_again: 3 if self._mine else 0,
            self._release: (5 if full else 1) if held else 0,
            self._give_up: 0.2 if len(held) < len(self._mine) else 0,
            self._look: 1,
            self._wait_in_line: 0 if full else 1,
            self._hang_up: 0 if full else 1,
            self._claim_for_a_time: 0 if self._limited else 1,
            self._renew: 2 if self._limited else 0,
            self._let_expire: 0.5 if self._limited else 0,
        }
        self._pay()
        self._chance.choices(list(weights), list(weights.values()))[0]()

    def _claim_new(self) -> None:
        self._claim(self._new_project())

    def _race(self) -> None:
        """Several clients of one project ask at the same time."""
        project = self._new_project()
        list(self._crowd.map(self._claim, [project] * RACERS))

    def _ask_again(self) -> None:
        self._claim(self._chance.choice(self._mine))

    def _release(self) -> None:
        held = [project for project in self._mine if project in self._memory.held]
        project = self._chance.choice(held)
        self._mine.remove(project)
        self._over.append(project)
        self._memory.let_go(project)
        self._pay()

    def _wait_in_line(self) -> None:
        project = self._new_project()
        self._keep(self._caller.claim_with(project, wait=self._chance.choice([1, 3])))

    def _hang_up(self) -> None:
        self._numbers += 1
        project = f"{self._name}-{self._numbers}"
        claim = self._caller.wait_and_hang_up(project, after=self._chance.uniform(0.1, 1.0))
        if claim is not None:  # it was too late to hang up, or the service was killed
            self._mine.append(project)
            self._keep(claim)

    def _claim_for_a_time(self) -> None:
        """Take one that ends by itself: it is in nobody's memory."""
        self._numbers += 1
        project = f"{self._name}-limited-{self._numbers}"
        claim = self._caller.claim_with(project, ttl=TTL)
        if claim.instance is not None:
            self._limited = project
        else:  # it counts as demand for a while, and is asked for in the end
            self._memory.in_doubt[project] = claim.until

    def _renew(self) -> None:
        """Maybe just when it ends."""
        if self._limited is not None and self._caller.renew(self._limited, TTL).status == 404:
            self._limited = None

    def _let_expire(self) -> None:
        self._limited = None

    def _give_up(self) -> None:
        """A project that was refused asks no more."""
        refused = [project for project in self._mine if project not in self._memory.held]
        self._mine.remove(self._chance.choice(refused))

    def _look(self) -> None:
        self._caller.status()

    def _claim(self, project: str) -> None:
        self._keep(self._caller.claim(project))

    def _keep(self, claim: Claim) -> None:
        self._memory.note(claim)
        if claim.status is None:
            self._patience = BACK_OFF

    def _new_project(self) -> str:
        """A project that never was, or one that comes back after its instance was released."""
        if self._over and self._chance.random() < 0.3:
            project = self._over.pop(0)
        else:
            self._numbers += 1
            project = f"{self._name}-{self._numbers}"
        self._mine.append(project)
        return project

    def _pay(self) -> None:
        """Release again what was not answered, once each time."""
        with self._memory.lock:
            owed = [(one, of) for one, of in self._memory.owed.items() if of in self._over]
        for instance, project in owed:
            if self._caller.release(instance, project):
                self._memory.paid(instance)
            else:
                self._patience = BACK_OFF
                return


def _body(answer: httpx.Response | None) -> dict[str, Any]:
    if answer is None:
        return {}
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _proper(answer: httpx.Response | None) -> bool:
    """Whether a refusal is a problem, and a 503 says when to ask again."""
    if answer is None:
        return True
    problem = answer.headers.get("Content-Type", "").startswith("application/problem+json")
    return problem and (answer.status_code != 503 or answer.headers.get("Retry-After", "").isdigit())
