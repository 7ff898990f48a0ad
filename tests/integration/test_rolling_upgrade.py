"""One replica after the other becomes this version: those of the version before go on beside it, unharmed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Event, Lock

import pytest
from sqlalchemy import create_engine

from app.domain.errors import AllocationNotFound, PoolExhausted
from app.domain.events import EventKind
from app.domain.model import DEFAULT_POOL, InstanceId, InstanceState, ProjectId
from app.domain.terms import Terms
from app.ports import RequestId
from app.registry.database import open_database
from app.registry.lifetimes import SqlLifetimes
from app.registry.line import SqlLine
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.registry.versions import revisions
from tests.builders import NOW
from tests.databases import at_revision
from tests.integration.version_0005 import OldRegistry
from tests.waiting import until

ALICE, BOB = ProjectId("alice"), ProjectId("bob")
FIRST, SECOND = RequestId("first"), RequestId("second")
MINUTE = timedelta(minutes=1)
LOOK_EVERY = timedelta(seconds=10)
"""A leader looks each second; of an hour, that would take the tests long where others are at work, too."""
BEFORE = revisions()[-2]


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - two versions by one clock, the database's


@dataclass(frozen=True)
class Versions:
    """Both of them on one database."""

    url: str
    old: OldRegistry

    def new(self) -> SqlRegistry:
        """Open it as this version does, which migrates it."""
        return SqlRegistry(Transactions(open_database(self.url)))


class Noon:
    """This version on a database, by a clock that stands until it is moved."""

    def __init__(self, url: str) -> None:
        self.now = NOW
        transactions = Transactions(open_database(url), clock=lambda _tx: self.now)
        self.registry = SqlRegistry(transactions)
        self.line, self.lifetimes = SqlLine(transactions), SqlLifetimes(transactions)


@pytest.fixture
def versions(a_postgres_database: Callable[[], str]) -> Iterator[Versions]:
    """A database as the version before left it, and a replica of that version that is not ended yet."""
    url = a_postgres_database()
    at_revision(url, BEFORE).dispose()
    engine = create_engine(url, pool_size=10)
    old = OldRegistry(engine=engine)
    old.add_pool()
    yield Versions(url, old)
    engine.dispose()


class Load:
    """What users and a leader do all the while, through replicas of the version before."""

    def __init__(self, old: OldRegistry) -> None:
        self._old = old
        self._over = Event()
        self._numbers = count(1)
        self._lock = Lock()
        self.given: list[tuple[str, str]] = []
        """Each instance, and who was given it."""
        self.refused = 0
        self.troubles: list[BaseException] = []

    def run(self, act: Callable[[int], None]) -> None:
        while not self._over.is_set():
            try:
                act(next(self._numbers))
            except Exception as error:  # noqa: BLE001 - whatever it is, there should be none
                self.troubles.append(error)
                return

    def serve(self, number: int) -> None:
        """Somebody takes an instance, renews it, and gives it back two times of three."""
        project = f"old-{number}"
        instance = self._old.claim(project, now=now(), ttl=60 * MINUTE)
        if instance is None:
            self.refused += 1
            return
        with self._lock:
            self.given.append((instance, project))
        assert self._old.renew(project, 30 * MINUTE, now=now())
        if number % 3:
            assert self._old.release(project, now=now())

    def look_after(self, number: int) -> None:
        """A leader finds new instances and notes what it saw."""
        self._old.offer(f"i-{number:017x}", now=now())
        self._old.note_view(desired=number, now=now())

    def end(self) -> None:
        self._over.set()


def test_replicas_of_the_version_before_serve_on_while_this_one_migrates(versions: Versions) -> None:
    load = Load(versions.old)
    with ThreadPoolExecutor(6) as threads:
        for act in (load.serve, load.serve, load.serve, load.serve, load.look_after, load.look_after):
            threads.submit(load.run, act)
        try:
            until(lambda: len(load.given) > 50, within=60, what="the old version to be at work")
            registry = versions.new()
            migrated_at = len(load.given)
            until(lambda: len(load.given) > migrated_at + 50, within=60, what="the old version to go on")
            mine = _claim_some(registry, 20)
        finally:
            load.end()

    given = [instance for instance, _ in load.given] + list(mine)
    held = {
        one.project
        for one in registry.instances(DEFAULT_POOL).values()
        if one.state == InstanceState.ALLOCATED
    }
    registry.close()
    assert load.troubles == []
    assert len(set(given)) == len(given)
    assert {project for _, project in load.given if not int(project.removeprefix("old-")) % 3} <= held


def _claim_some(registry: SqlRegistry, wanted: int) -> dict[InstanceId, ProjectId]:
    """Claim beside the old version, which takes most of what there is."""
    mine: dict[InstanceId, ProjectId] = {}
    numbers = count(1)

    def enough() -> bool:
        project = ProjectId(f"new-{next(numbers)}")
        try:
            claimed = registry.claim(DEFAULT_POOL, project, actor="tester", now=now())
        except PoolExhausted:
            return False
        mine[claimed.allocation.instance] = project
        return len(mine) >= wanted

    until(enough, within=60, what="this version to get its share", every=0.01)
    return mine


def test_both_versions_give_a_project_the_same_instance(versions: Versions) -> None:
    registry = versions.new()
    for number in (1, 2):
        versions.old.offer(f"i-{number:017x}", now=now())

    mine = registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=now()).allocation.instance
    theirs = versions.old.claim(BOB, now=now())

    assert versions.old.claim(ALICE, now=now()) == mine
    assert registry.claim(DEFAULT_POOL, BOB, actor="tester", now=now()).allocation.instance == theirs
    registry.close()


def test_who_was_refused_by_the_version_before_is_demand_for_this_one(versions: Versions) -> None:
    registry = versions.new()

    assert versions.old.claim(ALICE, now=now()) is None

    assert registry.waiting(DEFAULT_POOL, now=now()) == 1
    registry.close()


def test_what_the_version_before_released_is_gone_for_this_one(versions: Versions) -> None:
    registry = versions.new()
    versions.old.offer("i-00000000000000001", now=now())
    registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=now())

    assert versions.old.release(ALICE, now=now())

    with pytest.raises(AllocationNotFound):
        registry.release(ALICE, actor="tester", now=now())
    registry.close()


def test_an_end_by_the_version_before_is_told_in_the_same_trail(versions: Versions) -> None:
    registry = versions.new()
    versions.old.offer("i-00000000000000001", now=now())
    claimed = registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=now())

    assert versions.old.expire(claimed.allocation.instance, now=now())

    newest = [event.kind for event in registry.events(limit=2)]
    assert newest == [EventKind.INSTANCE_TERMINATING, EventKind.ALLOCATION_ENDED]
    registry.close()


# The line: the version before knows of none


@pytest.fixture
def at_noon(versions: Versions) -> Iterator[Noon]:
    """This version by a clock that the test moves, beside the version before."""
    noon = Noon(versions.url)
    yield noon
    noon.registry.close()


def test_who_stands_in_line_is_given_what_the_version_before_got_it(
    versions: Versions, at_noon: Noon
) -> None:
    at_noon.line.enter(DEFAULT_POOL, ALICE, FIRST)
    versions.old.offer("i-00000000000000001", now=NOW)

    instance = versions.old.claim(ALICE, now=NOW)

    standing = at_noon.line.look(DEFAULT_POOL, {FIRST: ALICE}, ready_since=NOW)
    assert standing.served == {FIRST}
    claimed = at_noon.registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=NOW, request=FIRST)
    assert (claimed.allocation.instance, claimed.created) == (instance, False)


def test_the_version_before_passes_the_line_which_goes_on_in_its_order(
    versions: Versions, at_noon: Noon
) -> None:
    at_noon.line.enter(DEFAULT_POOL, ALICE, FIRST)
    at_noon.line.enter(DEFAULT_POOL, BOB, SECOND)
    for number in (1, 2):
        versions.old.offer(f"i-{number:017x}", now=NOW)

    versions.old.claim("carol", now=NOW)

    standing = at_noon.line.look(DEFAULT_POOL, {FIRST: ALICE, SECOND: BOB}, ready_since=NOW)
    assert (standing.ready, standing.ahead) == (1, {FIRST: 0, SECOND: 1})


# Time limits: the version before writes when one ends, and nothing of an announcement


def trail(at_noon: Noon, instance: str) -> list[tuple[EventKind, timedelta]]:
    """What this version told of an instance's end, and how long after noon."""
    told = {EventKind.ALLOCATION_EXPIRING, EventKind.ALLOCATION_ENDED}
    lines = [line for line in at_noon.registry.events(limit=100) if line.instance == instance]
    return [(line.kind, line.at - NOW) for line in reversed(lines) if line.kind in told]


def live(at_noon: Noon, minutes: int) -> None:
    """Let this version lead for so long."""
    for _ in range(minutes * MINUTE // LOOK_EVERY):
        at_noon.now += LOOK_EVERY
        due = at_noon.lifetimes.due(DEFAULT_POOL)
        for one in due.announcements:
            at_noon.lifetimes.announce(one)
        for one in due.expired:
            at_noon.lifetimes.expire(one)


def test_one_that_the_version_before_limited_is_announced_before_it_ends(
    versions: Versions, at_noon: Noon
) -> None:
    versions.old.offer("i-00000000000000001", now=NOW)
    instance = versions.old.claim(ALICE, now=NOW, ttl=10 * MINUTE)

    live(at_noon, 11)

    (announced, at), (ended, over) = trail(at_noon, instance or "")
    assert (announced, ended) == (EventKind.ALLOCATION_EXPIRING, EventKind.ALLOCATION_ENDED)
    assert over - at >= MINUTE
    assert over >= 10 * MINUTE


@pytest.mark.parametrize("before", [1, 58])
def test_one_that_the_version_before_renewed_lasts_as_it_said(
    versions: Versions, at_noon: Noon, before: int
) -> None:
    """Before its end was announced by this version, and after."""
    versions.old.offer("i-00000000000000001", now=NOW)
    terms = Terms(ttl=60 * MINUTE)
    at_noon.registry.claim(DEFAULT_POOL, ALICE, actor="tester", now=NOW, terms=terms)
    live(at_noon, before)

    assert versions.old.renew(ALICE, 60 * MINUTE, now=at_noon.now)
    live(at_noon, 62)

    *announced, (ended, over) = trail(at_noon, "i-00000000000000001")
    assert ended is EventKind.ALLOCATION_ENDED
    assert over >= (before + 60) * MINUTE
    kind, at = announced[-1]
    assert kind is EventKind.ALLOCATION_EXPIRING
    assert over - at >= MINUTE
    assert len(announced) == (2 if before == 58 else 1)
