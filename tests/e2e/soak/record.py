"""The record of a soak in order, and what is found wrong with it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from tests.e2e.soak.facts import (
    Claim,
    DatabaseLost,
    Deed,
    Fact,
    Killed,
    ReleaseSent,
    Request,
    Retired,
    Serving,
    Trail,
)

NEVER = float("inf")
CLOCK = 0.01
"""Two readings of one clock in two processes may differ by their rounding."""
BY_ITSELF = frozenset({"expired", "abandoned"})
"""Why an allocation may end without anybody having asked for it: another rule says when it may."""


@dataclass(frozen=True)
class Violation:
    rule: str
    text: str
    subjects: frozenset[str] = frozenset()
    """The instances and projects whose history tells more."""
    at: float = 0.0


@dataclass
class Verdict:
    """What was found wrong, how often each rule was applied, and what was let pass with a reason."""

    violations: list[Violation] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)


SomeFact = TypeVar("SomeFact", bound=Fact)


class Record:
    """The facts, ordered by time and by what they are about."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._kinds: dict[type[Fact], list[Fact]] = defaultdict(list)
        for fact in sorted(facts, key=lambda fact: fact.at):
            self._kinds[type(fact)].append(fact)
        self.losses = self.all(DatabaseLost)
        self.sent = _by(self.all(ReleaseSent), lambda fact: fact.instance)
        self.retired = _by(self.all(Retired), lambda fact: fact.instance)
        self.deeds = _by(self.all(Deed), lambda fact: fact.instance)
        self.given = [
            claim for claim in self.all(Claim) if claim.instance is not None and claim.status in {200, 201}
        ]
        ended = [line for line in self.all(Trail) if line.kind == "allocation.ended"]
        by_itself = [line for line in ended if line.reason in BY_ITSELF]
        self.ended = _by(by_itself, lambda line: line.instance or "")
        """What ended by itself, as the audit trail has it."""
        self.downs = self._downs()

    def all(self, kind: type[SomeFact]) -> list[SomeFact]:
        return self._kinds[kind]  # type: ignore[return-value] # sorted in by this very key

    def down_during(self, request: Request) -> bool:
        """Whether the service was being killed or started at any moment of a request."""
        return any(begin <= request.until and request.at <= end for begin, end in self.downs)

    def let_go(self, project: str, instance: str) -> float:
        """From when on the project may have lost the instance by what others did; NEVER where it may not."""
        moments = [
            *(fact.at for fact in self.sent.get(instance, ())),
            *(fact.at for fact in self.deeds.get(instance, ())),
            *(fact.at for fact in self.retired.get(instance, ()) if fact.by != "service"),
            *(line.at for line in self.ended.get(instance, ())),
            *(loss.at for loss in self.losses if loss.tags.get(instance) != project),
        ]
        return min(moments, default=NEVER)

    def let_go_before(self, instance: str, at: float) -> bool:
        """Whether its project gave it up by then, or its time was over."""
        sent = any(one.at <= at for one in self.sent.get(instance, ()))
        return sent or any(one.at <= at + CLOCK for one in self.ended.get(instance, ()))

    def lost_between(self, begin: float, end: float) -> list[DatabaseLost]:
        return [loss for loss in self.losses if begin < loss.at < end]

    def _downs(self) -> list[tuple[float, float]]:
        serving = [fact.at for fact in self.all(Serving)]
        return [
            (killed.at, min((at for at in serving if at > killed.at), default=NEVER))
            for killed in self.all(Killed)
        ]


Rule = Callable[[Record, Verdict], Iterator[Violation]]


def _by(facts: list[SomeFact], key: Callable[[SomeFact], str]) -> dict[str, list[SomeFact]]:
    found: dict[str, list[SomeFact]] = defaultdict(list)
    for fact in facts:
        found[key(fact)].append(fact)
    return found
