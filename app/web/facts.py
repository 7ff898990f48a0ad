"""What becomes known of a request while it is answered, for its log line: what it was about, how it ended."""

from dataclasses import dataclass
from typing import TypeVar

from app.domain import model
from app.domain.errors import PoolExhausted
from app.domain.model import DEFAULT_POOL, Allocation, Instance, InstanceId, PoolName, ProjectId
from app.ports import AllocationOutcome, Claimed
from app.web import current

Thing = TypeVar("Thing", Allocation, Instance)

_FACTS = "ec2_orchestrator.facts"


@dataclass(slots=True)
class Facts:
    """What is known by now; None: nothing, or there is none."""

    pool: str | None = None
    project: str | None = None
    instance: str | None = None
    outcome: str | None = None
    """How a request for an instance ended."""
    code: str | None = None
    """Of the problem that it was answered with."""


def known() -> Facts:
    """Return the facts of the current request, to read or to add to."""
    environ = current.request().environ
    facts: Facts | None = environ.get(_FACTS)
    if facts is None:
        facts = environ[_FACTS] = Facts()
    return facts


def project_id(text: str) -> ProjectId:
    """Take `text` as the id of the project that the request is about, as `model.project_id` does."""
    found = model.project_id(text)
    known().project = found
    return found


def instance_id(text: str) -> InstanceId:
    """Take `text` as the id of the instance that the request is about, as `model.instance_id` does."""
    found = model.instance_id(text)
    known().instance = found
    return found


def pool_name(text: str) -> PoolName:
    """Take `text` as the name of the pool that the request is about, as `model.pool_name` does."""
    found = model.pool_name(text)
    known().pool = found
    return found


def of(thing: Thing) -> Thing:
    """Note that the request is about this, and return it."""
    _are(known(), thing)
    return thing


def _are(facts: Facts, thing: Allocation | Instance) -> None:
    facts.pool, facts.project = thing.pool, thing.project
    facts.instance = thing.instance if isinstance(thing, Allocation) else thing.id


def claimed(found: Claimed) -> Allocation:
    """Note what a request for an instance got, and return that."""
    facts = known()
    facts.outcome = found.outcome
    _are(facts, found.allocation)
    return found.allocation


def answered_with(code: str) -> None:
    """Note the code of the problem that the request is answered with."""
    facts = known()
    facts.code = code
    if code == PoolExhausted.code:
        facts.outcome = AllocationOutcome.EMPTY
        facts.pool = facts.pool or DEFAULT_POOL
