"""The lines as a state machine: requests of three replicas wait, give up and die; nobody is passed over."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text

from app.domain.errors import PoolExhausted
from app.domain.model import (
    InstanceState,
    PoolName,
    ProjectId,
)
from app.ports import Claimed, HungUp, RequestId
from app.registry.database import open_database
from app.registry.schema import metadata
from tests.property.lines import FRESH, POOLS, Lines, Place, Waiter, pools

PROJECTS = [ProjectId(name) for name in ("alice", "bob", "carol", "dave", "erin")]
REPLICAS = ["one", "two", "three"]
SURELY_LIVES = timedelta(seconds=2)
"""So long after its replica last said so: that is written once a second, and holds for three."""
SURELY_OVER = timedelta(seconds=3)
REMEMBERED = timedelta(seconds=60)
"""So long it is known which request an instance was given to."""
DEMAND_LASTS = KEPT = timedelta(seconds=30)

projects = st.sampled_from(PROJECTS)
replicas = st.sampled_from(REPLICAS)


class LineMachine(Lines):
    """Two pools, three replicas, five projects that ask, ask again elsewhere, and give up."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[ProjectId, Place] = {}
        self.kept: dict[ProjectId, Place] = {}
        """Places that are over, for whose projects they are kept."""
        self.waiters: dict[str, list[Waiter]] = {name: [] for name in REPLICAS}
        self.frozen: set[str] = set()
        self.demand: dict[ProjectId, tuple[PoolName, datetime]] = {}
        """What each project asked for last in vain, and until when that counts."""
        self.made_by: dict[ProjectId, tuple[RequestId, datetime]] = {}
        """Which request made the project's allocation from its place, if nobody has asked for it since."""
        self.unsure: set[ProjectId] = set()
        """Those of whom nobody can say whether it is known which request got their instance."""
        self.highest = 0
        self.served_in_line = 0

    @initialize(
        waiting=st.lists(st.tuples(pools, projects, replicas), max_size=4, unique_by=lambda one: one[1])
    )
    def begin(self, waiting: list[tuple[PoolName, ProjectId, str]]) -> None:
        self.set_up()
        for pool, project, replica in waiting:
            self.come_to_wait(pool, project, replica)

    def teardown(self) -> None:
        if not hasattr(self, "registry"):
            return
        try:
            self.serve_everybody()
            event(f"served in line: {min(self.served_in_line, 8)}")
        finally:
            self.close()

    # Those who ask

    @rule(project=projects)
    def release(self, project: ProjectId) -> None:
        if self._held(project) is not None:
            self.registry.release(project, actor="tester", now=self.now)
            self.demand.pop(project, None)

    @rule(pool=pools, project=projects, proved=st.booleans())
    def ask_without_waiting(self, pool: PoolName, project: ProjectId, *, proved: bool) -> None:
        self._claim(pool, project, None, proved=proved)

    @rule(pool=pools, project=projects, count=st.integers(1, 2), proved=st.booleans())
    def who_has_just_come_asks_first(
        self, pool: PoolName, project: ProjectId, count: int, *, proved: bool
    ) -> None:
        """Instances become idle, and whoever waits for them has not looked yet."""
        self.instances_become_idle(pool, count)
        self._claim(pool, project, None, proved=proved)

    @rule(pool=pools, project=projects, replica=replicas)
    def come_to_wait(self, pool: PoolName, project: ProjectId, replica: str) -> None:
        """Ask, and stand in line where there is nothing."""
        if replica not in self.frozen and self._claim(pool, project, None) is None:
            self._enter(Waiter(self._a_request(), pool, project), replica)

    def _enter(self, waiter: Waiter, replica: str, *, yielding: bool = False) -> None:
        living = self.places.get(waiter.project)
        before = living or self._kept(waiter.project)
        self.line.enter(waiter.pool, waiter.project, waiter.request, yielding=yielding)
        if yielding and living is not None:
            assert not [row for row in self._rows() if row.request == waiter.request]
            return
        self.waiters[replica].append(waiter)
        (number,) = [row.id for row in self._rows() if row.request == waiter.request]
        if before is not None and before.pool == waiter.pool:
            assert number == before.number, "the project did not get its place again"
        else:
            assert number > self.highest, "who comes does not stand at the end"
        self.highest = max(self.highest, number)
        self.made_by.pop(waiter.project, None)
        self.kept.pop(waiter.project, None)
        self.places[waiter.project] = Place(number, waiter.pool, waiter.request, self.now)

    def _kept(self, project: ProjectId) -> Place | None:
        place = self.kept.get(project)
        if place is None or place.over_at is None or self.now - place.over_at >= KEPT:
            return None
        return place

    @rule(replica=replicas, pool=pools)
    def look(self, replica: str, pool: PoolName) -> None:
        """What each replica does five times a second, and then those claim for whom there is something."""
        if replica not in self.frozen:
            self._look(replica, pool)

    def _look(self, replica: str, pool: PoolName) -> None:
        mine = {one.request: one for one in self.waiters[replica] if one.pool == pool}
        asked = {request: one.project for request, one in mine.items()}
        standing = self.line.look(pool, asked, ready_since=self.now - FRESH)
        for request, one in mine.items():
            place = self._kept(one.project)
            if place is not None and (place.pool, place.request) == (pool, request):
                self.places[one.project] = replace(place, said_at=self.now, over_at=None)
                del self.kept[one.project]
        living = {one.request: one for one in self.places.values() if one.pool == pool}
        assert dict(standing.ahead) == {
            request: self._before(pool, living[request].number) for request in mine if request in living
        }
        assert set(standing.served) == {
            request for request, one in mine.items() if self._held(one.project) is not None
        }
        most = len(living) + 1
        ready, free = (min(len(some), most) for some in (self._ready(pool), self._free(pool)))
        assert (standing.ready, standing.doubtful) == (ready, free - ready)
        assert set(standing.replaced) == {
            request
            for request, one in mine.items()
            if one.project in self.places and self.places[one.project].request != request
        }
        for request, one in mine.items():
            if request in living:
                self.places[one.project] = replace(living[request], said_at=self.now)
            elif request not in standing.served:
                self.waiters[replica].remove(one)
                if request not in standing.replaced:  # its replica stood still: it goes to the end
                    self._enter(one, replica, yielding=True)
        first_come = sorted(standing.ahead, key=standing.ahead.__getitem__)
        for request in [*standing.served, *first_come]:
            one = mine[request]
            worth_it = request in standing.served or standing.ahead[request] < standing.ready
            if worth_it and one in self.waiters[replica] and self._claim(pool, one.project, request):
                self.waiters[replica].remove(one)

    @rule(replica=replicas, count=st.integers(0, 2), data=st.data())
    def hang_up_in_the_moment_of_the_claim(self, replica: str, count: int, data: st.DataObject) -> None:
        if replica in self.frozen or not self.waiters[replica]:
            return
        one = data.draw(st.sampled_from(self.waiters[replica]))
        self.instances_become_idle(one.pool, count)
        claimed = self._claim(one.pool, one.project, one.request)
        if claimed is not None:
            self.waiters[replica].remove(one)
            if claimed.created:
                self._abandon(one)

    @rule(pool=pools, project=projects, replica=replicas)
    def come_back_too_late(self, pool: PoolName, project: ProjectId, replica: str) -> None:
        """Its replica stood still, and a newer request may have the place."""
        if replica not in self.frozen and self._held(project) is None:
            self._enter(Waiter(self._a_request(), pool, project), replica, yielding=True)

    @rule(project=projects, data=st.data())
    def abandon_late(self, project: ProjectId, data: st.DataObject) -> None:
        """Others may have asked since; whoever did has the instance."""
        if self.requests:
            number = data.draw(st.integers(max(1, self.requests - 6), self.requests))
            self._abandon(Waiter(RequestId(f"request-{number}"), POOLS[0], project))

    def _abandon(self, waiter: Waiter) -> None:
        held = self._held(waiter.project)
        maker, at = self.made_by.get(waiter.project, (None, self.now))
        if self.now - at > REMEMBERED or waiter.project in self.unsure:
            return
        ends = held is not None and maker == waiter.request
        done = self.line.abandon(waiter.project, waiter.request, actor="tester", now=self.now)
        assert done is ends
        assert self._held(waiter.project) == (None if ends else held)
        if ends:
            self.demand.pop(waiter.project, None)

    @rule(replica=replicas, data=st.data(), demand=st.booleans())
    def give_up(self, replica: str, data: st.DataObject, *, demand: bool) -> None:
        """Time out, or with no demand left hang up."""
        if replica in self.frozen or not self.waiters[replica]:
            return
        gone = data.draw(st.sampled_from(self.waiters[replica]))
        self.waiters[replica].remove(gone)
        self.line.leave([gone.request], demand=demand)
        if demand:
            self._gave_up(gone)
            return
        place = self.places.get(gone.project) or self._kept(gone.project)
        if place is not None and place.request == gone.request:
            self.places.pop(gone.project, None)
            self.kept.pop(gone.project, None)
            self.demand.pop(gone.project, None)
            assert self._waiting_rows(gone.project) == 0, "who hung up still counts as demand"
            assert not [row for row in self._rows() if row.project == gone.project]

    def _gave_up(self, gone: Waiter) -> None:
        place = self.places.get(gone.project)
        if place is not None and place.request == gone.request:
            self.kept[gone.project] = replace(place, request=None, over_at=self.now)
            del self.places[gone.project]

    @rule(pool=pools, project=projects, replica=replicas)
    def hang_up_before_the_claim_counts(self, pool: PoolName, project: ProjectId, replica: str) -> None:
        if replica in self.frozen or self._held(project) is not None:
            return
        before = (self._free(pool), self._rows())
        since = self.now - FRESH
        with suppress(HungUp):
            try:
                self.registry.claim(
                    pool, project, actor="tester", now=self.now, ready_since=since, wanted=lambda: False
                )
            except HungUp:
                assert (self._free(pool), self._rows()) == before
                raise
            except PoolExhausted:
                self.demand[project] = (pool, self.now + DEMAND_LASTS)

    @rule(replica=replicas)
    def insist(self, replica: str) -> None:
        """Claim for everybody, whether or not there is anything, as each does every few seconds."""
        if replica not in self.frozen:
            for one in list(self.waiters[replica]):
                if self._claim(one.pool, one.project, one.request):
                    self.waiters[replica].remove(one)

    # Replicas

    @precondition(lambda self: len(self.frozen) < 2)
    @rule(replica=replicas)
    def freeze(self, replica: str) -> None:
        """It does nothing for a while; whoever hangs up there is not noticed."""
        self.frozen.add(replica)

    @rule(replica=replicas)
    def thaw(self, replica: str) -> None:
        self.frozen.discard(replica)

    @rule(replica=replicas)
    def kill(self, replica: str) -> None:
        self.waiters[replica].clear()

    @rule(replica=replicas)
    def end_in_order(self, replica: str) -> None:
        """Send everybody away, and give the places up at once."""
        gone = self.waiters[replica]
        self.line.leave([one.request for one in gone], demand=True)
        for one in gone:
            self._gave_up(one)
        gone.clear()

    @rule(seconds=st.sampled_from([0.2, 0.2, 1.0, 1.0, 3.2, 31.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # What always holds

    @invariant()
    def places_last_as_long_as_promised(self) -> None:
        there = {ProjectId(row.project): row for row in self._rows()}
        living = {name: row for name, row in there.items() if row.until > self.now}
        for project, place in list(self.places.items()):
            age = self.now - place.said_at
            row = living.get(project)
            if row is None:
                assert age >= SURELY_LIVES, f"{project} lost its place after {age}"
                over_at = there[project].until if project in there else place.said_at
                self.kept[project] = replace(self.places.pop(project), over_at=over_at)
                continue
            assert age <= SURELY_OVER, f"{project} still has a place, {age} after its replica's last word"
            assert (row.id, row.pool, row.request) == (place.number, place.pool, place.request)
        assert living.keys() == self.places.keys()
        for project in self.kept:
            if (kept := self._kept(project)) is not None:
                row = there[project]
                assert (row.id, row.pool) == (kept.number, kept.pool), "a place was not kept"

    @invariant()
    def a_project_holds_one_instance(self) -> None:
        holders = [
            one.project
            for pool in POOLS
            for one in self._all(pool).values()
            if one.state is InstanceState.ALLOCATED
        ]
        assert len(holders) == len(set(holders))

    @invariant()
    def only_who_asked_lately_counts_as_demand(self) -> None:
        for pool in POOLS:
            may = {
                name
                for name, (of, until) in self.demand.items()
                if of == pool and until > self.now and self._held(name) is None
            }
            assert self.registry.waiting(pool, now=self.now) == len(may)

    # The end

    def serve_everybody(self) -> None:
        """Let instances become idle one by one: each time the first in line is served, and nobody else."""
        self.frozen.clear()
        for _ in range(4):  # until nobody stands before them whose replica is gone
            self._look_everywhere()
            self.now += timedelta(seconds=1)
            self.places_last_as_long_as_promised()
        self._look_everywhere()
        for _ in range(len(PROJECTS)):
            self.places_last_as_long_as_promised()
            first = {pool: next(iter(self._line_of(pool)), None) for pool in POOLS}
            if not any(first.values()):
                return
            for pool, project in first.items():
                if project is not None:
                    self.instances_become_idle(pool, 1)
            self.now += timedelta(milliseconds=200)
            self.places_last_as_long_as_promised()
            self._look_everywhere()
            for pool, project in first.items():
                waits = project is not None and any(
                    one.project == project for some in self.waiters.values() for one in some
                )
                assert not waits, f"{project} was the first in {pool}'s line, and got nothing"

    def _look_everywhere(self) -> None:
        for name in REPLICAS:
            for pool in POOLS:
                self._look(name, pool)

    # One claim, judged

    def _claim(
        self, pool: PoolName, project: ProjectId, request: RequestId | None, *, proved: bool = True
    ) -> Claimed | None:
        held, own = self._held(project), self.places.get(project)
        free = self._ready(pool) if proved else self._free(pool)
        # A place is the project's: whoever asks for it, from wherever, asks from there.
        stands = own is not None and own.pool == pool
        ahead = self._before(pool, own.number) if stands and own else self._others(pool, project)
        of_the_project = own or self._kept(project)
        from_its_place = of_the_project is not None and of_the_project.request == request
        if of_the_project is None and project in self.kept:  # it may be there still, and need not
            self.unsure.add(project)
        claimed: Claimed | None = None
        with suppress(PoolExhausted):
            claimed = self.registry.claim(
                pool,
                project,
                actor="tester",
                now=self.now,
                ready_since=self.now - FRESH if proved else None,
                request=request,
            )
        if held is not None:
            if self.made_by.get(project, (None,))[0] != request:
                self.made_by.pop(project, None)
                self.unsure.discard(project)
            self.places.pop(project, None)
            self.kept.pop(project, None)
            assert claimed is not None
            assert (claimed.created, claimed.allocation.instance) == (False, held)
        elif len(free) > ahead:
            assert claimed is not None, f"{len(free)} are free, {ahead} stand ahead, and it got nothing"
            assert claimed.created
            assert claimed.allocation.instance == free[0]
        else:
            assert claimed is None, f"{len(free)} are free, {ahead} stand ahead, and it passed them"
        if claimed is None:
            self.demand[project] = (pool, self.now + DEMAND_LASTS)
        elif claimed.created:
            self.served_in_line += request is not None
            self.made_by.pop(project, None)
            if request is not None and from_its_place:
                self.made_by[project] = (request, self.now)
            self.places.pop(project, None)
            self.kept.pop(project, None)
            self.demand.pop(project, None)
            assert not [row for row in self._rows() if row.project == project], "its place is still there"
        return claimed

    def _before(self, pool: PoolName, number: int) -> int:
        return sum(place.pool == pool and place.number < number for place in self.places.values())

    def _others(self, pool: PoolName, project: ProjectId) -> int:
        return sum(place.pool == pool and name != project for name, place in self.places.items())

    def _line_of(self, pool: PoolName) -> list[ProjectId]:
        """Who stands in it and is looked after by somebody, the first first."""
        there = {one.request for some in self.waiters.values() for one in some}
        mine = [
            (place.number, name)
            for name, place in self.places.items()
            if place.pool == pool and place.request in there
        ]
        return [name for _, name in sorted(mine)]


def test_nobody_in_line_is_passed_over_forgotten_or_left_behind() -> None:
    run_state_machine_as_test(LineMachine, settings=settings())


def test_nor_on_postgresql(a_postgres_registry: Callable[[], str]) -> None:
    url = a_postgres_registry()

    class OnPostgresql(LineMachine):
        def open(self) -> Engine:
            engine = open_database(url)
            with engine.begin() as tx:
                tables = ", ".join(metadata.tables.keys() - {"compatibility"})
                tx.execute(text(f"TRUNCATE {tables}"))
            return engine

        def close(self) -> None:
            self.registry.close()

    seldom = settings(max_examples=max(5, settings().max_examples // 10))
    run_state_machine_as_test(OnPostgresql, settings=seldom)
