"""AWS misbehaving: spells of faults that come and go, by chance from a seed."""

import random  # noqa: TID251 - the weather comes from the seed of the soak
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread
from typing import Any

import httpx

from tests.e2e.aws import SET_DESIRED, TERMINATE
from tests.e2e.soak.cloud import Note, WatchedCloud
from tests.e2e.soak.facts import Deed, Spell, now

MEMBERS = "DescribeAutoScalingGroups"
DETAILS = "DescribeInstances"
TAG = "CreateTags"
PROTECT = "SetInstanceProtection"
ACTIVITIES = "DescribeScalingActivities"
BROKEN = ("hanging", "failing", "blank", "down")
CALM_FLAGS: dict[str, Any] = {"protect": True, "suspended": ["AZRebalance"]}

Undo = Callable[[], None]


class Weather:
    """A thread that begins spells and ends them. `mild` leaves out what takes half a minute to get over."""

    def __init__(
        self, cloud: WatchedCloud, note: Note, chance: random.Random, *, gap: float, longest: float
    ) -> None:
        self._cloud = cloud
        self._note = note
        self._chance = chance
        self._gap = gap
        self._longest = longest
        self._lock = RLock()
        self._under_way: list[tuple[float, Undo]] = []
        self._stop = Event()
        self._thread: Thread | None = None
        self.mild = False
        self.counts: Counter[str] = Counter()
        self.crash: BaseException | None = None
        self._kinds: dict[str, tuple[int, Callable[[], Undo | None]]] = {
            "throttling": (3, self._throttling),
            "5xx page": (2, self._page),
            "internal error": (1, self._internal_error),
            "dropped before effect": (2, self._dropped),
            "answer lost": (4, self._answer_lost),
            "delay": (3, self._delay),
            "permission denied": (3, self._denied),
            "capacity limit": (2, self._limit),
            "spot reclaim": (5, lambda: self._end("terminate")),
            "stopped": (1, lambda: self._end("stop")),
            "unhealthy": (2, lambda: self._end("unhealthy")),
            "desired raised by others": (2, lambda: self._write_desired(1)),
            "desired lowered by others": (3, lambda: self._write_desired(-1)),
            "group does not protect": (2, self._unprotected),
            "launches suspended": (1, self._suspended),
            "new workers broken": (2, self._new_workers),
            "running workers broken": (4, self._running_workers),
        }

    def start(self) -> None:
        self._stop.clear()
        self._thread = Thread(target=self._live, name="weather", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End every spell; when it returns, AWS is as it should be, and every worker is up."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No fault is in force as long as the block runs."""
        with self._lock:
            self._clear()
            yield

    def _live(self) -> None:
        try:
            while not self._stop.wait(self._chance.expovariate(1 / self._gap)):
                with self._lock:
                    self._turn()
        except BaseException as error:  # noqa: BLE001 - a bug of the soak must not pass for fine weather
            self.crash = error

    def _turn(self) -> None:
        over = [undo for end, undo in self._under_way if end <= now()]
        self._under_way = [(end, undo) for end, undo in self._under_way if end > now()]
        for undo in over:
            undo()
        kinds = {name: weight for name, (weight, _) in self._kinds.items()}
        name = self._chance.choices(list(kinds), list(kinds.values()))[0]
        begun = self._kinds[name][1]()
        if begun is not None:
            self.counts[name] += 1
            self._under_way.append((now() + self._chance.uniform(0.3, 1.0) * self._longest, begun))

    def _clear(self) -> None:
        for _, undo in self._under_way:
            undo()
        self._under_way = []
        self._cloud.lift_faults()
        self._cloud.control("POST", "capacity", limit=None)
        self._cloud.control("PATCH", "group", **CALM_FLAGS)
        self._cloud.control("POST", "workers", mode="up")
        for instance in self._cloud.staying():
            self._mend(instance)

    # Calls of AWS that fail.

    def _throttling(self) -> Undo:
        action = self._chance.choice(["*", MEMBERS, DETAILS, TERMINATE, SET_DESIRED, TAG, PROTECT])
        ec2 = action in {DETAILS, TAG}
        return self._rule(
            "throttling",
            action=action,
            kind="error",
            code="RequestLimitExceeded" if ec2 else "Throttling",
            status=503 if ec2 else 400,
            message="Rate exceeded",
            probability=0.3 if action == "*" else self._chance.choice([0.3, 1.0]),
        )

    def _page(self) -> Undo:
        return self._rule("5xx page", action=self._some_action(), kind="html", probability=0.4)

    def _internal_error(self) -> Undo:
        return self._rule("internal error", action=self._some_action(), kind="error", probability=0.4)

    def _dropped(self) -> Undo:
        return self._rule("dropped before effect", action=self._some_action(), kind="drop", probability=0.4)

    def _answer_lost(self) -> Undo:
        action = self._chance.choice([TERMINATE, SET_DESIRED, TAG, PROTECT, "*"])
        return self._rule(
            "answer lost", action=action, kind="drop-after", times=self._chance.choice([1, 2, 3])
        )

    def _delay(self) -> Undo:
        seconds = round(self._chance.uniform(0.1, 1.5), 2)
        return self._rule("delay", action="*", kind="delay", seconds=seconds, probability=0.5)

    def _denied(self) -> Undo:
        action = self._chance.choice([TAG, PROTECT, ACTIVITIES])
        code = "UnauthorizedOperation" if action == TAG else "AccessDenied"
        message = f"User: arn:aws:sts::1:assumed-role/soak is not authorized to perform: {action}"
        return self._rule(
            "permission denied", action=action, kind="error", code=code, status=403, message=message
        )

    def _some_action(self) -> str:
        """Some action; if `mild`, no terminate call: without effect it stays in doubt for half a minute."""
        mild = [MEMBERS, DETAILS, SET_DESIRED, TAG]
        return self._chance.choice(mild if self.mild else [*mild, "*", TERMINATE, TERMINATE])

    def _rule(self, name: str, **rule: Any) -> Undo:
        self._note(Spell(at=now(), kind=name, detail=" ".join(f"{key}={rule[key]}" for key in rule)))
        rule_id = self._cloud.control("POST", "faults", **rule)["id"]
        return lambda: self._lift(rule_id)

    def _lift(self, rule_id: str) -> None:
        self._cloud.faults.remove(rule_id)

    # The group and its members.

    def _limit(self) -> Undo:
        kind = self._chance.choice(["capacity", "quota", "configuration"])
        limit = max(0, len(self._cloud.alive()) - self._chance.randrange(4))
        self._note(Spell(at=now(), kind="capacity limit", detail=f"{kind} {limit}"))
        self._cloud.control("POST", "capacity", limit=limit, kind=kind)
        return lambda: self._quietly("POST", "capacity", limit=None)

    def _end(self, what: str) -> Undo | None:
        members = sorted(self._cloud.staying())
        if not members:
            return None
        instance = self._chance.choice(members)
        self._note(Deed(at=now(), instance=instance, what=what))
        self._quietly("POST", f"instances/{instance}/{what}")
        return _nothing

    def _write_desired(self, sign: int) -> Undo | None:
        group = self._cloud.group()
        desired = min(max(group["desired"] + sign * self._chance.randint(1, 3), group["min"]), group["max"])
        self._quietly("PATCH", "group", desired=desired)
        return _nothing

    def _unprotected(self) -> Undo:
        self._note(Spell(at=now(), kind="group does not protect"))
        self._cloud.control("PATCH", "group", protect=False)
        return lambda: self._quietly("PATCH", "group", protect=True)

    def _suspended(self) -> Undo:
        self._note(Spell(at=now(), kind="launches suspended"))
        self._cloud.control("PATCH", "group", suspended=["AZRebalance", "Launch"])
        return lambda: self._quietly("PATCH", "group", **CALM_FLAGS)

    def _new_workers(self) -> Undo:
        mode = self._chance.choice(BROKEN)
        self._note(Spell(at=now(), kind="new workers broken", detail=mode))
        self._cloud.control("POST", "workers", mode=mode)
        return lambda: self._quietly("POST", "workers", mode="up")

    def _running_workers(self) -> Undo | None:
        members = sorted(self._cloud.staying())
        if not members:
            return None
        broken = self._chance.sample(members, min(len(members), self._chance.randint(1, 3)))
        mode = self._chance.choice(BROKEN)
        for instance in broken:
            self._note(Spell(at=now(), kind=f"worker {mode}", detail=instance))
            self._quietly("POST", f"instances/{instance}/worker", mode=mode)

        def mend() -> None:
            for instance in broken:
                self._mend(instance)

        return mend

    def _mend(self, instance: str) -> None:
        self._quietly("POST", f"instances/{instance}/worker", mode="up")

    def _quietly(self, method: str, path: str, **body: Any) -> None:
        """Do it where it still can be done: the instance may have gone meanwhile."""
        try:
            self._cloud.control(method, path, **body)
        except AssertionError as refused:
            self._note(Spell(at=now(), kind="refused", detail=f"{path}: {refused}"))
        except httpx.TransportError as error:
            self._note(Spell(at=now(), kind="refused", detail=f"{path}: {error!r}"))


def _nothing() -> None:
    """There is nothing to undo."""
