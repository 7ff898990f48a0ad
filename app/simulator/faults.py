"""Faults: rules that make AWS calls fail, or take long, on purpose."""

import itertools
import random  # noqa: TID251 - chance belongs to the rules, and its seed is configuration
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any, Literal, get_args

HTTP_ERRORS = range(400, 600)

FaultKind = Literal["error", "html", "drop", "drop-after", "delay"]


@dataclass(slots=True)
class Fault:
    """One rule. Raises ValueError, with a sentence, when it cannot be one.

    error: refuse with `code`, `message` and HTTP `status`; html: a 502 page, as a proxy gives;
    drop: close the connection and do nothing; drop-after: do it, then lose the answer; delay: wait `seconds`.
    With a `group`, only calls that name this Auto Scaling group are struck.
    """

    kind: FaultKind
    action: str = "*"
    group: str = "*"
    code: str = "InternalFailure"
    status: int = 500
    message: str = "The request processing has failed because of an unknown error, exception or failure."
    seconds: float = 0.0
    times: int | None = None
    probability: float = 1.0
    id: str = field(default="", init=False)

    def __post_init__(self) -> None:
        checks = {
            f"kind must be one of {', '.join(get_args(FaultKind))}": self.kind in get_args(FaultKind),
            "action must be the name of an AWS action, or *": _is_text(self.action),
            "group must be the name of a group, or *": _is_text(self.group),
            "code must be an AWS error code, such as Throttling": _is_text(self.code),
            "message must be text": isinstance(self.message, str),
            "status must be an HTTP status from 400 to 599": _is_whole(self.status)
            and self.status in HTTP_ERRORS,
            "seconds must be a number from 0 to 600": _is_number(self.seconds, 0, 600),
            "times must be a number from 1, or null for always": self.times is None
            or (_is_whole(self.times) and self.times > 0),
            "probability must be a number from 0 to 1": _is_number(self.probability, 0, 1),
        }
        for sentence, holds in checks.items():
            if not holds:
                raise ValueError(sentence)

    def hits(self, action: str, groups: Collection[str] = ()) -> bool:
        """Tell whether the rule is about this action, and about one of these groups, and not used up."""
        meant = self.group == "*" or self.group in groups
        return meant and self.action in {action, "*"} and self.times != 0


class Faults:
    """The rules in force, in the order they were made."""

    def __init__(self, seed: int) -> None:
        self._lock = Lock()
        self._rules: dict[str, Fault] = {}
        self._numbers = itertools.count(1)
        self._chance = random.Random(seed)  # noqa: S311 - not for secrets

    def add(self, rule: Fault) -> str:
        """Put a rule in force; return its id."""
        with self._lock:
            rule.id = f"fault-{next(self._numbers)}"
            self._rules[rule.id] = rule
            return rule.id

    def remove(self, rule_id: str) -> bool:
        """Lift a rule; return whether there was one."""
        with self._lock:
            return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Lift all rules."""
        with self._lock:
            self._rules.clear()

    def strike(self, action: str, groups: Collection[str] = ()) -> list[Fault]:
        """Return what befalls a call that names these groups: any number of delays, then one other fault."""
        struck: list[Fault] = []
        with self._lock:
            for rule in self._rules.values():
                if not rule.hits(action, groups) or self._chance.random() >= rule.probability:
                    continue
                if rule.times is not None:
                    rule.times -= 1
                struck.append(rule)
                if rule.kind != "delay":
                    break
        return struck

    def as_json(self) -> list[dict[str, Any]]:
        """Render the rules; `times` is what is left of them."""
        with self._lock:
            return [asdict(rule) for rule in self._rules.values()]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
