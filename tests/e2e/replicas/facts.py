"""What the soak's facts do not tell: which replica answered, who led, and who wrote to AWS."""

from dataclasses import dataclass

from tests.e2e.soak.facts import Fact, Request

STOPPED = "stopped"
"""How a replica is down that stands still, and goes on later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Request):
    """What one replica answered to anybody. The soak's Claim, Release and StatusRead tell what it said."""

    replica: int
    what: str
    """`claim`, `release`, `renewal`, `status` or `healthz`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Down(Fact):
    """The test is about to kill a replica, or its worker alone, or to stop that for a while."""

    replica: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Up(Fact):
    """It answers again."""

    replica: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderKilled(Fact):
    """What was killed (or stopped) then led, in this term."""

    holder: str
    term: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAway(Fact):
    """From `at` until `until` these replicas could not reach the database."""

    until: float
    replicas: frozenset[int]
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Term(Fact):
    """The audit trail: this replica was elected."""

    number: int
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(Fact):
    """A call that changes something arrived at AWS, and had had its effect, or none, by `until`."""

    until: float
    writer: str
    """The replica by the User-Agent, or else by the access key."""
    action: str
    outcome: str
