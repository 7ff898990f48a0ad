"""The soak: users, bad weather and a killer in storms, and after each storm: is all well again?"""

import random  # noqa: TID251 - everything left to chance comes from one seed
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

from tests.e2e.soak.checks import examine
from tests.e2e.soak.cloud import WatchedCloud
from tests.e2e.soak.facts import Calm, DatabaseLost, Drained, Fact, TagsRead, now
from tests.e2e.soak.messages import Listener
from tests.e2e.soak.record import Verdict
from tests.e2e.soak.service import Victim
from tests.e2e.soak.users import Caller, Memory, User, each_once
from tests.e2e.soak.weather import Weather
from tests.receiving import SECRET
from tests.waiting import until

BUFFER = 8
MAX_SIZE = 100
DEMAND_LASTS = 32.0
"""So long, and a little, a project that was refused counts as waiting: desired is raised for it."""
CHECK_EVERY = 10.0
ROUNDS_TO_REST = 8
NO_REASONS = frozenset({"desired-moved", "setup"})
"""Warnings that linger, and explain no missing instance once AWS is well again."""
KEPT = 6
"""Projects that keep their instance from one storm to the next."""
DRAINED_WITHIN = 90.0
"""Seconds; a message that was refused twice waits half a minute for its third try."""
FULL = 120.0
"""So long the tags may take to be read after a loss of the database, and a release to be answered."""


@dataclass(frozen=True, kw_only=True)
class Storm:
    """One stretch of trouble, and the quiet after it."""

    seconds: float
    kill_every: tuple[float, float] = (3.0, 28.0)
    loses_database: bool = False
    mild_after: float = 1.0
    """From this share of it on, no terminate call ends with an unknown outcome for lack of an effect: the
    service would rightly wait half a minute with it, and so would the quiet."""
    last_kill: bool = False
    """Kill it once more at the end: what throttling slowed down begins anew."""
    bound: float = 240.0
    """Seconds in which it must come to rest."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    seed: int
    storms: tuple[Storm, ...]
    users: int = 5
    pause: float = 0.35
    """Seconds from one thing that a user does to the next, on average."""
    gap: float = 1.0
    """Seconds from one fault to the next, on average."""
    longest: float = 5.0
    """Seconds that a fault lasts at most."""
    retention: float = 600.0


def short(seed: int) -> Plan:
    """Half a minute, for `make test`."""
    storm = Storm(seconds=24.0, kill_every=(6.0, 10.0), mild_after=0.2, last_kill=True, bound=120.0)
    return Plan(seed=seed, storms=(storm,), longest=2.5, gap=0.6)


def long(seed: int, minutes: float) -> Plan:
    """Storms of a minute and more, every second one with a loss of the database, and a calm after each."""
    count = max(2, round(minutes * 60 / 100))
    seconds = minutes * 60 / count - 12.0
    storms = (
        Storm(seconds=seconds, loses_database=number % 2 == 1, last_kill=number % 3 == 1)
        for number in range(count)
    )
    return Plan(seed=seed, storms=tuple(storms))


@dataclass
class Outcome:
    """Everything a report is made of."""

    plan: Plan
    database: str
    facts: list[Fact]
    verdict: Verdict
    seconds: float
    kills: int = 0
    passes: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    crash: str | None = None
    """Why the soak itself could not go on."""


class Soak:
    """One run. `say` gets a line now and then."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        *,
        database_url: str | None = None,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._plan = plan
        self._say = say
        self._facts: list[Fact] = []
        self._note = self._facts.append
        self._memory = Memory()
        self._database_url = database_url or f"sqlite:///{folder}/registry.db"
        self._checked_at = now()
        self._verdict = Verdict()
        self._users = 0

    def run(self) -> Outcome:
        begun, crash = now(), None
        cloud = WatchedCloud(
            self._note,
            desired=BUFFER,
            max_size=MAX_SIZE,
            boot_seconds=0.5,
            terminate_seconds=0.3,
            replace_seconds=1.5,
            retry_seconds=0.5,
            retention_seconds=self._plan.retention,
            seed=self._plan.seed,
        )
        with cloud, Listener(self._note, self._chance("webhook")) as listener:
            settings = {
                **cloud.settings,
                "ORCHESTRATOR_BUFFER": str(BUFFER),
                "ORCHESTRATOR_POLL_INTERVAL": "1",
                "ORCHESTRATOR_BOOT_TIMEOUT": "8",
                "ORCHESTRATOR_WEBHOOK_URL": listener.url,
                "ORCHESTRATOR_WEBHOOK_SECRET": SECRET,
            }
            with Victim(self._database_url, settings, self._note) as victim:
                weather = Weather(
                    cloud, self._note, self._chance("weather"), gap=self._plan.gap, longest=self._plan.longest
                )
                try:
                    victim.start()
                    self._begin_well(victim)
                    for number, storm in enumerate(self._plan.storms):
                        self._say(f"storm {number + 1} of {len(self._plan.storms)}")
                        self._go_through(number, storm, cloud, victim, weather)
                except (AssertionError, OSError) as error:
                    crash = f"{type(error).__name__}: {error}"
                    weather.stop()
                self._collect(cloud, victim)
            return Outcome(
                plan=self._plan,
                database=self._database_url.partition(":")[0],
                facts=self._facts,
                verdict=examine(self._facts),
                seconds=now() - begun,
                kills=victim.kills,
                passes=victim.passes,
                faults=dict(weather.counts),
                outcomes=dict(cloud.seen.outcomes),
                warnings=victim.warnings,
                crash=crash or (repr(weather.crash) if weather.crash else None),
            )

    def _go_through(
        self, number: int, storm: Storm, cloud: WatchedCloud, victim: Victim, weather: Weather
    ) -> None:
        chance = self._chance(f"storm {number}")
        _Round(self, cloud=cloud, victim=victim, weather=weather, storm=storm, chance=chance).run()

    def _begin_well(self, victim: Victim) -> None:
        caller = Caller(victim.url, self._note)
        try:
            each_once(caller, buffer=BUFFER)
        finally:
            caller.close()

    def _chance(self, name: str) -> random.Random:
        return random.Random(f"{self._plan.seed}/{name}")

    def _collect(self, cloud: WatchedCloud, victim: Victim) -> None:
        cloud.seen.slice()
        victim.listen()

    def _check(self) -> None:
        """Look for violations so far, and tell of new ones."""
        if now() - self._checked_at < CHECK_EVERY:
            return
        self._checked_at = now()
        known = {violation.text for violation in self._verdict.violations}
        self._verdict = examine(tuple(self._facts))
        for violation in self._verdict.violations:
            if violation.text not in known:
                self._say(f"VIOLATION {violation.rule}: {violation.text}")


class _Round:
    """One storm and its calm."""

    def __init__(
        self,
        soak: Soak,
        *,
        cloud: WatchedCloud,
        victim: Victim,
        weather: Weather,
        storm: Storm,
        chance: random.Random,
    ) -> None:
        self._soak = soak
        self._cloud = cloud
        self._victim = victim
        self._weather = weather
        self._storm = storm
        self._chance = chance
        self._note = soak._note
        self._memory = soak._memory
        self._stop = Event()

    def run(self) -> None:
        users = [self._user() for _ in range(self._soak._plan.users)]
        for user in users:
            user.thread.start()
        self._weather.mild = False
        self._weather.start()
        try:
            self._rage()
        finally:
            self._stop.set()
            for user in users:
                user.thread.join()
            self._weather.stop()
        crashed = [user.crash for user in users if user.crash]
        assert not crashed, f"a user of the soak crashed: {crashed}"
        if self._storm.last_kill:
            self._victim.kill()
            self._victim.revive()
        caller = Caller(self._victim.url, self._note)
        try:
            self._come_to_rest(caller)
        finally:
            caller.close()

    def _user(self) -> User:
        self._soak._users += 1
        name = f"user{self._soak._users}"
        return User(
            name,
            Caller(self._victim.url, self._note),
            self._memory,
            chance=self._soak._chance(name),
            stop=self._stop,
            pause=self._soak._plan.pause,
        )

    def _rage(self) -> None:
        begun = now()
        end = begun + self._storm.seconds
        lose_at = begun + self._storm.seconds * self._chance.uniform(0.3, 0.6)
        losing = self._storm.loses_database
        kill_at = begun + self._chance.uniform(*self._storm.kill_every)
        while now() < end:
            if losing and now() >= lose_at:
                losing = False
                self._lose_database()
            elif now() >= kill_at:
                self._kill_somehow()
                kill_at = now() + self._chance.uniform(*self._storm.kill_every)
            self._weather.mild = now() > begun + self._storm.seconds * self._storm.mild_after
            self._soak._collect(self._cloud, self._victim)
            self._soak._check()
            time.sleep(0.1)  # noqa: TID251 - time is what a soak is about

    def _kill_somehow(self) -> None:
        how = self._chance.random()
        if how < 0.2:
            self._victim.kill_worker()
            return
        self._victim.kill()
        if how < 0.4:
            self._victim.stumble(self._chance.uniform(0.2, 3.0))
        self._victim.revive()

    def _lose_database(self) -> None:
        """Take the database away. Until the tags are read no fault is in force; the users go on."""
        with self._weather.paused():
            self._stop.wait(self._chance.uniform(0, 4))  # some allocations get their tags, others do not
            self._victim.kill()
            tags = self._cloud.tagged()
            self._note(DatabaseLost(at=now(), tags=tags))
            self._victim.lose_database()
            if self._chance.random() < 0.5:
                self._victim.stumble(self._chance.uniform(0.2, 3.0))
            self._victim.revive()
            held = len(self._memory.held)
            self._soak._say(f"the database is lost; {held} instances in use, {len(tags)} by their tags")
            caller = Caller(self._victim.url, self._note)
            missing: set[str] = set()

            def all_back() -> bool:
                status = caller.status()
                if status is None:
                    return False
                used = {one["machineId"] for one in status["machines"] if one["state"] != "booting"}
                missing.clear()
                missing.update((tags.keys() & self._cloud.staying().keys()) - used)
                return not missing and status["lastPassAt"] is not None

            try:
                until(all_back, within=30)
            except AssertionError:
                pass
            finally:
                caller.close()
            self._note(TagsRead(at=now(), forgotten=tuple(sorted(missing))))

    def _come_to_rest(self, caller: Caller) -> None:
        begun = now()
        deadline = begun + self._storm.bound
        self._pay(caller, deadline)
        refused = self._ask_all(caller, deadline)
        self._end_strays(caller, deadline)
        status = self._use_up(caller, deadline)
        self._drain(caller)
        self._soak._collect(self._cloud, self._victim)
        listed = [one for one in status["machines"] if one["state"] in {"idle", "allocated"}]
        warnings = {warning["code"] for warning in status["warnings"]} - NO_REASONS
        reasons = [status["limitedBy"], *sorted(warnings)]
        members = self._cloud.members("InService")
        calm = Calm(
            at=now(),
            seconds=now() - begun,
            bound=self._storm.bound,
            buffer=BUFFER,
            idle=status["idleMachines"],
            used=status["usedMachines"],
            booting=status["bootingMachines"],
            terminating=status["terminatingMachines"],
            total=status["totalMachines"],
            desired=status["desiredCapacity"],
            reason=", ".join(reason for reason in reasons if reason) or None,
            listed=frozenset(one["machineId"] for one in listed),
            members=frozenset(members),
            alive=self._cloud.alive(),
            refused=refused,
        )
        self._note(calm)
        self._soak._say(
            f"calm after {calm.seconds:.1f} s: {calm.idle} idle, {calm.used} used"
            + (f" ({calm.reason})" if calm.reason else "")
        )
        for project in list(self._memory.held)[KEPT:]:
            self._memory.let_go(project)
        self._pay(caller, now() + FULL)

    def _pay(self, caller: Caller, deadline: float) -> None:
        """Finish what was not answered."""
        for instance, project in list(self._memory.owed.items()):
            while not caller.release(instance, project) and now() < deadline:
                time.sleep(0.2)  # noqa: TID251 - a client that tries again
            self._memory.paid(instance)
            if project is not None and self._memory.held.get(project) == instance:
                del self._memory.held[project]

    def _ask_all(self, caller: Caller, deadline: float) -> tuple[str, ...]:
        """Let every project ask that holds an instance, or was refused lately; name those that get none."""
        lately = now() - DEMAND_LASTS  # or they would count as demand through half a minute of the quiet
        asked = {**self._memory.in_doubt, **self._memory.unmet}
        waiting = [project for project, at in asked.items() if at > lately]
        self._memory.in_doubt.clear()
        held = list(self._memory.held)
        self._memory.unmet.clear()
        refused = []
        for project in dict.fromkeys([*held, *waiting]):
            claim = caller.claim(project)
            while claim.instance is None and now() < deadline:
                time.sleep(0.5)  # noqa: TID251 - a client that asks again
                claim = caller.claim(project)
            self._memory.note(claim)
            if claim.instance is None:
                refused.append(project)
        return tuple(refused)

    def _end_strays(self, caller: Caller, deadline: float) -> None:
        """Release, as an operator would, what is used and no user of ours knows of: lost answers, mostly."""
        status = self._settled(caller, deadline)
        ours = set(self._memory.held.values())
        for machine in status["machines"]:
            if machine["isUsed"] and machine["machineId"] not in ours:
                caller.release(machine["machineId"], machine["assignedProject"])

    def _use_up(self, caller: Caller, deadline: float) -> dict[str, Any]:
        """Claim what is idle beyond the buffer, and release that: desired goes down in no other way."""
        for turn in range(ROUNDS_TO_REST):
            status = self._settled(caller, deadline)
            excess = status["idleMachines"] - BUFFER
            if excess <= 0 or now() > deadline:
                return status
            guests = [f"guest{turn}-{number}-{int(now())}" for number in range(excess)]
            claims = [caller.claim(guest) for guest in guests]
            self._settled(caller, deadline)
            for claim in claims:
                if claim.instance is not None:
                    caller.release(claim.instance, claim.project)
        return self._settled(caller, deadline)

    def _drain(self, caller: Caller) -> None:
        """Wait until every message was sent that is written by now."""
        begun = now()
        with suppress(AssertionError):
            until(lambda: caller.undelivered() == 0, within=DRAINED_WITHIN)
        self._note(Drained(at=begun))

    def _settled(self, caller: Caller, deadline: float) -> dict[str, Any]:
        """The status once nothing moves and the buffer is full, or when the time is over."""
        first = now()
        while True:
            status = caller.status()
            if status is not None:
                excess = status["idleMachines"] - BUFFER
                # Who hung up just before a kill counts as demand for half a minute.
                moving = status["bootingMachines"] + status["terminatingMachines"] + status["waitingProjects"]
                level = status["desiredCapacity"] == status["totalMachines"]
                fresh = status["lastPassAt"] is not None and _epoch(status["lastPassAt"]) > first
                # Where others have lowered it, desired is below what is protected, as long as that is idle.
                rests = not moving and (excess > 0 or (excess == 0 and level))
                if (rests and fresh) or now() > deadline:
                    return status
            assert now() < deadline + FULL, "the service does not answer /status"
            time.sleep(0.25)  # noqa: TID251 - each look costs the service work that it would rather do


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
