"""The storm: sixteen users at three replicas, a killer of leaders, a database and a network that go away."""

import random  # noqa: TID251 - everything left to chance comes from one seed
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from tests.e2e.replicas.checks import examine
from tests.e2e.replicas.facts import LeaderKilled
from tests.e2e.replicas.fleet import Fleet, Replica
from tests.e2e.replicas.logs import Logs
from tests.e2e.replicas.rest import Rest
from tests.e2e.replicas.users import Anywhere, Regular, Watcher
from tests.e2e.soak.facts import Fact, now
from tests.e2e.soak.record import Verdict
from tests.e2e.soak.users import Memory, User, each_once
from tests.waiting import until

WORKER, AT_ONCE, LATER = "killed -9, its worker alone", "killed -9, back at once", "killed -9, back later"
STOPPED = "stopped, and continued later"
PATIENCE = 25.0
"""Seconds after which a leader is killed again that was to end and leads on."""
BUFFER = 14
MAX_SIZE = 100
SHORTLY = (0.1, 1.5)
"""Seconds that the database stays down in a restart."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    seed: int
    seconds: float
    spells: tuple[str, ...]
    """What happens to the database and to the way there, one after the other, spread over the time."""
    reign: tuple[float, float] = (1.0, 4.0)
    """Seconds for which a leader may lead before it is killed."""
    ways: tuple[str, ...] = (WORKER, AT_ONCE, LATER)
    """How a leader ends."""
    cut: tuple[float, float] = (10.0, 10.0)
    """Seconds for which the network is cut. A term that is not renewed ends after twelve."""
    spared: float = 1.0
    """How often a leader that is cut off is not killed as well, until that is over."""
    users: int = 16
    pause: float = 0.7
    """Seconds from one thing that a user does to the next, on average."""
    bound: float = 150.0
    """Seconds in which it must come to rest."""


def short(seed: int) -> Plan:
    """A minute, for `make test`: one restart, one cut of everybody."""
    spells = ["restart", "cut all"]
    random.Random(f"{seed}/spells").shuffle(spells)
    return Plan(seed=seed, seconds=45.0, spells=tuple(spells))


def long(seed: int, minutes: float) -> Plan:
    """Of every kind of spell at least one, and about two in a minute."""
    chance = random.Random(f"{seed}/spells")
    kinds = ["restart", "cut all", "cut leader", "cut follower", "reset"]
    spells = list(kinds)
    spells += chance.choices(kinds, k=max(0, round(minutes * 2) - len(kinds)))
    chance.shuffle(spells)
    return Plan(
        seed=seed,
        seconds=minutes * 60,
        spells=tuple(spells),
        ways=(WORKER, WORKER, AT_ONCE, AT_ONCE, LATER, STOPPED),
        cut=(8.0, 18.0),
        spared=0.6,
    )


@dataclass
class Outcome:
    """Everything a report is made of."""

    plan: Plan
    facts: list[Fact]
    verdict: Verdict
    seconds: float
    ended_themselves: int
    done: Counter[str] = field(default_factory=Counter)
    """What was done to the fleet, how often."""
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    """Log lines above info, and those about leadership."""
    crash: str | None = None
    """Why the storm itself could not go on."""


class Storm:
    """One run. `say` gets a line now and then."""

    def __init__(self, plan: Plan, say: Callable[[str], None] = lambda _line: None) -> None:
        self._plan = plan
        self._say = say
        self._facts: list[Fact] = []
        self._note = self._facts.append
        self._memory = Memory()
        self._stop, self._end, self._spared = Event(), Event(), Event()
        self._done: Counter[str] = Counter()
        self._chance = random.Random(f"{plan.seed}/killer")

    def run(self) -> Outcome:
        begun, crash = now(), None
        fleet = Fleet(
            self._note,
            settings={"ORCHESTRATOR_BUFFER": str(BUFFER), "ORCHESTRATOR_POLL_INTERVAL": "1"},
            desired=BUFFER,
            max_size=MAX_SIZE,
            seed=self._plan.seed,
        )
        with fleet:
            threads = [Watcher(replica, self._note, self._end).thread for replica in fleet.replicas]
            for thread in threads:
                thread.start()
            try:
                self._begin_well(fleet)
                self._rage(fleet)
                self._say("the storm is over")
                calm = Rest(fleet, self._memory, self._note, buffer=BUFFER, bound=self._plan.bound).come()
                self._say(f"calm after {calm.seconds:.1f} s: {calm.idle} idle, {calm.used} used")
            except (AssertionError, OSError) as error:
                crash = f"{type(error).__name__}: {error}"
            finally:
                self._end.set()
                for thread in threads:
                    thread.join()
            fleet.cloud.seen.slice()
            self._facts += [*fleet.trail(), *fleet.cloud.writes.told()]
            logs = Logs(fleet)
            self._facts += logs.faults
        return Outcome(
            plan=self._plan,
            facts=self._facts,
            verdict=examine(self._facts),
            seconds=now() - begun,
            ended_themselves=sum(replica.ended_itself for replica in fleet.replicas),
            done=self._done,
            calls=fleet.cloud.seen.outcomes,
            said=logs.said,
            crash=crash,
        )

    def _begin_well(self, fleet: Fleet) -> None:
        caller = self._anywhere(fleet, "first")
        try:
            each_once(caller, buffer=BUFFER)
        finally:
            caller.close()

    def _rage(self, fleet: Fleet) -> None:
        users = [self._user(f"user{number}", fleet) for number in range(self._plan.users)]
        regular = Regular(self._anywhere(fleet, "regular"), self._memory, self._stop)
        regular.come()
        threads = [*(user.thread for user in users), regular.thread]
        for thread in threads:
            thread.start()
        spells = ThreadPoolExecutor(1)
        spoiling = spells.submit(self._spoil, fleet)
        end = now() + self._plan.seconds
        kill_at, doomed = 0.0, ""
        try:
            while now() < end or not spoiling.done():
                for replica in fleet.replicas:
                    replica.tend()
                leader = fleet.leader()
                if leader is not None and leader.replica is not None and now() < end:
                    if leader.holder != doomed:
                        doomed, kill_at = leader.holder, now() + self._chance.uniform(*self._plan.reign)
                        self._say(f"term {leader.term} is replica {leader.replica.number}'s")
                    elif now() >= kill_at and not self._spared.is_set():
                        at, how = now(), self._kill(leader.replica, "leader")
                        self._note(LeaderKilled(at=at, holder=leader.holder, term=leader.term, how=how))
                        regular.give_one_back()
                        self._kill_another(fleet, leader.replica)
                        kill_at = now() + PATIENCE
                time.sleep(0.1)  # noqa: TID251 - time is what a storm is about
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
            spells.shutdown()
        spoiling.result()
        until(lambda: all(map(self._stands, fleet.replicas)), within=60, what="every replica to be back")
        crashed = [crash for crash in (*(user.crash for user in users), regular.crash) if crash]
        assert not crashed, f"a user crashed: {crashed}"

    def _stands(self, replica: Replica) -> bool:
        replica.tend()
        return replica.down_since is None

    def _user(self, name: str, fleet: Fleet) -> User:
        where = self._anywhere(fleet, name)
        chance = random.Random(f"{self._plan.seed}/{name}")
        return User(name, where, self._memory, chance=chance, stop=self._stop, pause=self._plan.pause)

    def _anywhere(self, fleet: Fleet, name: str) -> Anywhere:
        return Anywhere(fleet.replicas, self._note, random.Random(f"{self._plan.seed}/{name}/where"))

    # Kills.

    def _kill(self, replica: Replica, role: str) -> str:
        how = self._chance.choice(self._plan.ways)
        if how == WORKER:
            replica.kill_worker()
        elif how == STOPPED:
            replica.stop_worker(seconds=self._chance.uniform(13, 18))
        else:
            replica.kill(back_after=0 if how == AT_ONCE else self._chance.uniform(2, 6))
        self._done[f"{role} {how}"] += 1
        self._say(f"{role} {how}: replica {replica.number}")
        return how

    def _kill_another(self, fleet: Fleet, leader: Replica) -> None:
        """Now and then a second one dies with the leader: one is left to take over."""
        others = [one for one in fleet.replicas if one is not leader and one.down_since is None]
        if len(others) == len(fleet.replicas) - 1 and self._chance.random() < 0.4:
            self._kill(self._chance.choice(others), "follower")

    def _led(self, fleet: Fleet) -> bool:
        leader = fleet.leader()
        return leader is not None and leader.replica is not None

    # Spells of the database and of the network.

    def _spoil(self, fleet: Fleet) -> None:
        chance = random.Random(f"{self._plan.seed}/weather")
        slot = self._plan.seconds / (len(self._plan.spells) + 0.5)
        begun = now()
        for number, spell in enumerate(self._plan.spells):
            at = begun + slot * (number + chance.uniform(0.2, 0.6))
            if self._stop.wait(max(0.0, at - now())):
                return
            if spell.startswith("cut") and chance.random() < self._plan.spared:
                self._spared.set()
                until(lambda: self._stop.is_set() or self._led(fleet), within=60, what="a leader to cut off")
            self._done[spell] += 1
            self._say(spell)
            self._cast(spell, fleet, chance)
            self._spared.clear()

    def _cast(self, spell: str, fleet: Fleet, chance: random.Random) -> None:
        if spell == "restart":
            how = chance.choice([signal.SIGINT, signal.SIGQUIT])
            with fleet.away(fleet.replicas, spell):
                fleet.database.stop(how)
                self._stop.wait(chance.uniform(*SHORTLY))
                fleet.database.start()
            return
        some = fleet.replicas
        if spell == "cut leader":
            some = [one for one in fleet.replicas if one not in fleet.followers()] or some[:1]
        elif spell in {"cut follower", "reset"}:
            some = [chance.choice(fleet.followers())]
        if spell == "reset":
            with fleet.away(some, spell):
                for one in some:
                    one.link.reset()
            return
        with fleet.away(some, spell):
            for one in some:
                one.link.cut()
            self._stop.wait(chance.uniform(*self._plan.cut))
            for one in some:
                one.link.mend()
