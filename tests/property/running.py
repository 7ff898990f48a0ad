"""The service that looks after a pool, and may die at any moment: rules for the pool's machine."""

import shutil
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from threading import Event as Woken
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from app.domain.controls import Change
from app.domain.model import DEFAULT_POOL, InstanceId, Policy, ProjectId
from app.domain.terms import TermsPolicy
from app.ports import Activity, Cloud, Lifetimes, Registry, RequestId
from app.registry.activity import SqlActivity
from app.registry.lifetimes import SqlLifetimes
from app.registry.line import SqlLine
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.activity import UseWatch
from app.service.allocation import Allocator
from app.service.examination import Examination
from app.service.readiness import Readiness
from app.service.reconcile import Reconciler
from app.service.timekeeping import Timekeeper
from app.service.waiting import WaitingRoom
from tests.fakes import (
    FakeClock,
    FakeCloud,
    FakeControls,
    FakeMandate,
    FakeMeter,
    FakePreflight,
    FakeProber,
    FakeWaker,
)
from tests.property.fuse import Crash, Fuse, Fused
from tests.property.life import IDLE_TIMEOUT, Hearts
from tests.property.quick_database import open_quickly

BUFFER = 3
TERMS = TermsPolicy(idle_timeout=IDLE_TIMEOUT)
PAUSES = st.builds(Change, paused=st.booleans())
BUFFERS = st.one_of(st.builds(Change, buffer=st.integers(0, 5)), st.just(Change(as_configured=True)))


class Running(RuleBasedStateMachine):
    """Rules that a pool's machine inherits: the passes, and what a leader does beside them."""

    cloud: FakeCloud
    handed_out: dict[InstanceId, ProjectId]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="pool-"))
        self.clock = FakeClock()
        self.prober = FakeProber()
        self.fuse = Fuse()
        self.controls = FakeControls()
        self.hearts = Hearts(self.clock)
        self.requests = (RequestId(str(number)) for number in count())
        self.crashes = 0
        self.databases_lost = 0

    def judge(self, operation: str, arguments: tuple[Any, ...]) -> None:
        """Check a call to AWS, at the moment when it is made."""
        raise NotImplementedError

    def forget_limits(self) -> None:
        """Note that what stood in the database alone is lost."""
        raise NotImplementedError

    def open_database(self) -> None:
        self.transactions = Transactions(
            open_quickly(self.folder), clock=lambda _tx: self.clock.now(), tells=True
        )
        self.registry, self.line = SqlRegistry(self.transactions), SqlLine(self.transactions)

    def close(self) -> None:
        self.registry.close()
        shutil.rmtree(self.folder)

    @rule()
    def restart(self) -> None:
        """Begin anew: nothing but the registry and AWS remembers anything."""
        policy = Policy(buffer=BUFFER)
        registry = cast("Registry", Fused(self.registry, self.fuse))
        self.readiness = Readiness(
            policy=policy,
            registry=registry,
            controls=self.controls,
            prober=self.prober,
            mandate=FakeMandate(),
            meter=FakeMeter(),
            clock=self.clock,
        )
        self.reconciler = Reconciler(
            policy=policy,
            registry=registry,
            controls=self.controls,
            cloud=cast("Cloud", Fused(self.cloud, self.fuse, self.judge)),
            examination=Examination(
                FakePreflight(), policy=policy, controls=self.controls, monotonic=lambda: 0.0
            ),
            readiness=self.readiness,
            mandate=FakeMandate(),
            clock=self.clock,
        )
        self.allocator = Allocator(
            quick_probers={DEFAULT_POOL: self.prober},
            terms={DEFAULT_POOL: TERMS},
            registry=self.registry,
            waker=FakeWaker(),
            clock=self.clock,
            line=self.line,
            waiting_room=WaitingRoom(
                line=self.line,
                requests=self.requests,
                places=2,
                pools=(DEFAULT_POOL,),
                clock=self.clock,
                monotonic=self.seconds,
                sleep=self._sleep,
            ),
            meter=FakeMeter(),
            monotonic=self.seconds,
        )
        self.watch = UseWatch(
            pool=DEFAULT_POOL,
            terms=TERMS,
            activity=cast("Activity", Fused(SqlActivity(self.transactions), self.fuse)),
            reader=self.hearts,
            mandate=FakeMandate(),
            meter=FakeMeter(),
            monotonic=self.seconds,
        )
        self.timekeeper = Timekeeper(
            DEFAULT_POOL,
            lifetimes=cast("Lifetimes", Fused(SqlLifetimes(self.transactions), self.fuse)),
            see=self.watch.look_at,
            mandate=FakeMandate(),
            meter=FakeMeter(),
        )

    def seconds(self) -> float:
        return self.clock.now().timestamp()

    def _sleep(self, _woken: Woken, seconds: float) -> None:
        """What a waiting request leaves to others: a pass each second."""
        before = self.seconds()
        self.clock.advance(seconds)
        if int(before) != int(self.seconds()):
            self.lead()

    def lead(self) -> bool:
        """All that a leader does in a second; whether it changed something."""
        report = self.reconciler.tick()
        changed = self.readiness.round()
        changed |= self.timekeeper.round()
        changed |= self.watch.round()
        return report.changed or report.unsettled or changed

    @rule(times=st.integers(1, 3), pause=st.sampled_from([1, 2, 10]))
    def run_passes(self, times: int, pause: int) -> None:
        for _ in range(times):
            self.lead()
            self.clock.advance(pause)

    @rule(minutes=st.sampled_from([1, 2, 5]))
    def be_left_alone(self, minutes: int) -> None:
        """Long enough for time limits to end, and for what is in use to be in use no more."""
        for _ in range(2 * minutes):
            self.lead()
            self.clock.advance(30)

    @rule()
    def run_a_pass_alone(self) -> None:
        self.reconciler.tick()

    @rule()
    def probe(self) -> None:
        self.readiness.round()

    @rule(after=st.integers(0, 30))
    def crash_in_a_pass(self, after: int) -> None:
        self.fuse.left = after
        try:
            self.lead()
        except Crash:
            self.crashes += 1
            self.restart()
        finally:
            self.fuse.left = None
        self.clock.advance(2)

    @precondition(lambda self: self.everything_is_on_the_tags())
    @rule()
    def lose_the_database(self) -> None:
        """Begin with an empty one: what AWS has on its tags is all there is."""
        self.cloud.recover("observe")
        self.cloud.group_exists = True
        self.registry.close()
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        self.open_database()
        self.controls = FakeControls()  # they stood in it
        self.forget_limits()
        self.databases_lost += 1
        self.restart()
        self.reconciler.tick()

    @rule(change=st.one_of(PAUSES, PAUSES, BUFFERS))
    def operate(self, change: Change) -> None:
        """Pause, resume, or set the buffer."""
        self.tell(change)

    def tell(self, change: Change) -> None:
        self.controls.change(
            DEFAULT_POOL, change, configured=BUFFER, expect=None, actor="tester", now=self.clock.now()
        )

    def everything_is_on_the_tags(self) -> bool:
        known = self.registry.instances(DEFAULT_POOL).values()
        used = [one for one in known if one.id in self.handed_out]
        return all(
            self.cloud.tags(one.id).get("ec2-orchestrator:project") == self.handed_out[one.id] for one in used
        )
