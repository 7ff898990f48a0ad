"""A registry whose database has the clock of the test, and what instances tell in it."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from app.domain.activity import Heartbeat
from app.domain.events import Event, EventKind
from app.domain.model import DEFAULT_POOL, Instance, InstanceId, PoolName, ProjectId
from app.domain.terms import TermsPolicy
from app.ports import Heard
from app.registry.activity import SqlActivity
from app.registry.controls import SqlControls
from app.registry.ownership import Owner, belong_to
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from tests.builders import NOW, a_look
from tests.fakes import FakeClock

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
CULLS = TermsPolicy(idle_timeout=HOUR)
OTHER = PoolName("other")
CLOCK = 1_700_000_000_000
"""What time it is on every instance at NOW: their clocks have nothing to do with ours."""


class World:
    """A registry whose database has the clock of the test, and what instances tell in it."""

    def __init__(self, engine: Engine) -> None:
        self.clock = FakeClock()
        self.transactions = Transactions(engine, clock=lambda _: self.clock.now())
        belong_to(
            self.transactions, {pool: Owner(f"of-{pool}", "eu-west-1") for pool in (DEFAULT_POOL, OTHER)}
        )
        self.registry = SqlRegistry(self.transactions)
        self.controls = SqlControls(self.transactions)
        self.activity = SqlActivity(self.transactions)

    def idle(self, pool: PoolName = DEFAULT_POOL) -> InstanceId:
        look = a_look()
        self.registry.discover(pool, look, now=self.now)
        self.registry.mark_idle(look.id, "10.0.0.1", 8080, now=self.now)
        return look.id

    def allocated(self, project: str = "a", pool: PoolName = DEFAULT_POOL, **terms: timedelta) -> InstanceId:
        self.idle(pool)
        asked = TermsPolicy().terms(**terms)
        claimed = self.registry.claim(pool, ProjectId(project), actor="ann", now=self.now, terms=asked)
        return claimed.allocation.instance

    def used(self, project: str = "a") -> InstanceId:
        """An allocation that is known to be in use just now."""
        one = self.allocated(project)
        self.note({one: MINUTE})
        self.note({one: timedelta()})
        return one

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def beat(self, ago: timedelta | None = None) -> Heartbeat:
        """What an instance tells that was last used so long ago; None: never."""
        clock = CLOCK + (self.now - NOW) // timedelta(milliseconds=1)
        return Heartbeat(last=0 if ago is None else clock - ago // timedelta(milliseconds=1), now=clock)

    def note(self, told: dict[InstanceId, timedelta | None], terms: TermsPolicy = CULLS) -> list[InstanceId]:
        heard = {one: Heard(heartbeat=self.beat(ago), unheard_for=30 * SECOND) for one, ago in told.items()}
        return list(self.activity.note(DEFAULT_POOL, heard, terms))

    def end(self, one: InstanceId, ago: timedelta, terms: TermsPolicy = CULLS) -> bool:
        return self.activity.end(one, self.beat(ago), terms)

    def silent(self, one: InstanceId, span: timedelta) -> list[InstanceId]:
        """Let so much time pass since it was used, and tell so."""
        self.clock.advance(span)
        return self.note({one: span})

    def announced(self) -> InstanceId:
        """An allocation whose end has come, and was announced in time."""
        one = self.used()
        self.silent(one, 50 * MINUTE)
        self.clock.advance(10 * MINUTE)
        return one

    def known(self, one: InstanceId) -> Instance:
        return self.registry.instances(DEFAULT_POOL)[one]

    def events(self, *kinds: EventKind) -> list[Event]:
        return [one for one in self.registry.events(limit=1000) if one.kind in kinds]
