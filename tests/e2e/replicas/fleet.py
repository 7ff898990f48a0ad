"""Three replicas on one PostgreSQL, each through a link of its own: killed, cut off, asked who leads."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, NullPool, create_engine, func, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from app.registry.schema import events, leases
from tests import postgres
from tests.e2e.processes import DEADLINE, Program, Service
from tests.e2e.replicas.cloud import WrittenCloud
from tests.e2e.replicas.facts import STOPPED, DatabaseAway, Down, Term, Up
from tests.e2e.replicas.network import Link, Network
from tests.e2e.soak.cloud import Note
from tests.e2e.soak.facts import Fact, Trail, now
from tests.e2e.soak.record import NEVER
from tests.waiting import until

ELECTED = "leader.elected"


@dataclass(frozen=True)
class Leader:
    """Whose term runs, by the row that all of them share."""

    holder: str
    term: int
    replica: "Replica | None"
    """None where its process is gone."""


class Replica:
    """One service under gunicorn, and the way to its database."""

    def __init__(self, number: int, link: Link, database: URL, settings: dict[str, str], note: Note) -> None:
        self.number = number
        self.link = link
        self._note = note
        self.service = Service(
            Path("unused"),
            {
                **settings,
                "AWS_ACCESS_KEY": f"replica-{number}",
                "ORCHESTRATOR_DATABASE_URL": database.render_as_string(hide_password=False),
            },
        )
        self._back_at = 0.0
        self._on_at: float | None = None
        self.down_since: float | None = None
        self.ended_itself = 0
        """How often it was found gone, and the test had not killed it."""

    @property
    def url(self) -> str:
        return self.service.url

    @property
    def runs(self) -> Sequence[Program]:
        return self.service._runs

    @property
    def workers(self) -> list[int]:
        """The process that serves and leads, by its pid; none while gunicorn starts another."""
        master = self.service.program._process.pid
        try:
            children = Path(f"/proc/{master}/task/{master}/children").read_text()
        except FileNotFoundError:
            return []
        return [int(pid) for pid in children.split()]

    def kill(self, *, back_after: float) -> None:
        """End every process of it; `tend` starts it again so many seconds later."""
        self._note(Down(at=now(), replica=self.number, how="all of it"))
        self.down_since = NEVER
        self.service.kill9()
        self.down_since = now()
        self._back_at = now() + back_after

    def kill_worker(self) -> None:
        """End the process that serves, and leave it to gunicorn to start another."""
        self._note(Down(at=now(), replica=self.number, how="its worker"))
        self.down_since = NEVER
        self.signal_workers(signal.SIGKILL)
        self.down_since = now()

    def stop_worker(self, *, seconds: float) -> None:
        """Let the process that serves stand still; `tend` has it go on so many seconds later."""
        self._note(Down(at=now(), replica=self.number, how=STOPPED))
        self.down_since = NEVER
        self.signal_workers(signal.SIGSTOP)
        self.down_since = now()
        self._on_at = now() + seconds

    def signal_workers(self, number: signal.Signals) -> None:
        for pid in self.workers:
            os.kill(pid, number)

    def tend(self) -> None:
        """Start it where it does not run and should, as an init system does; end a stop that is over."""
        if self._on_at is not None and now() >= self._on_at:
            self._on_at = None
            self.signal_workers(signal.SIGCONT)
        if self.service.running or now() < self._back_at:
            return
        if self.down_since is None:
            self.ended_itself += 1
        self.service.launch()

    def answered(self, asked_at: float) -> None:
        """It has answered what was asked then."""
        if self.down_since is not None and asked_at > self.down_since:
            self.down_since = None
            self._note(Up(at=now(), replica=self.number))


class Fleet:
    """All of it. A context manager: in its block they serve, and somebody leads."""

    def __init__(self, note: Note, *, size: int = 3, settings: dict[str, str], **cloud: Any) -> None:
        self._note = note
        self._size = size
        self._settings = settings
        self._stack = ExitStack()
        self.cloud = WrittenCloud(note, **cloud)
        self.replicas: list[Replica] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.database = stack.enter_context(postgres.a_server_of_ones_own())
            network = stack.enter_context(Network())
            stack.enter_context(self.cloud)
            url = make_url(self.database.new_database("replicas"))
            self._engine = create_engine(url, poolclass=NullPool)
            for number in range(self._size):
                link = network.link(url.port or 0)
                settings = {**self.cloud.settings, **self._settings}
                replica = Replica(number, link, url.set(port=link.port), settings, self._note)
                stack.enter_context(replica.service)
                self.replicas.append(replica)
            for replica in self.replicas:
                replica.service.launch()
            for replica in self.replicas:
                replica.service.await_answer()
            self.await_leader()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def leader(self) -> Leader | None:
        """Who leads by the database, whatever anybody believes; None while nobody does."""
        running = select(leases).where(leases.c.expires_at > func.clock_timestamp())
        try:
            with self._engine.connect() as connection:
                row = connection.execute(running).one_or_none()
        except SQLAlchemyError:  # the database is being restarted
            return None
        if row is None:
            return None
        process = int(row.holder.split(":")[-2])
        replica = next((one for one in self.replicas if process in one.workers), None)
        return Leader(row.holder, row.term, replica)

    def await_leader(self, other_than: str | None = None, within: float = DEADLINE) -> Leader:
        """Who leads, as soon as a living process does that is not this one."""

        def found() -> Leader | None:
            leader = self.leader()
            return leader if leader and leader.replica and leader.holder != other_than else None

        leader = until(found, within=within, what="somebody to lead")
        assert leader is not None
        return leader

    def of(self, leader: Leader) -> Replica:
        assert leader.replica is not None
        return leader.replica

    def followers(self) -> list[Replica]:
        """Those that do not lead."""
        leader = self.leader()
        return [one for one in self.replicas if leader is None or one is not leader.replica]

    @contextmanager
    def away(self, some: Sequence[Replica], how: str) -> Iterator[None]:
        """Note that these cannot reach the database as long as the block runs."""
        begun = now()
        try:
            yield
        finally:
            numbers = frozenset(one.number for one in some)
            self._note(DatabaseAway(at=begun, until=now(), replicas=numbers, how=how))

    def trail(self) -> list[Fact]:
        """All of the audit trail."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(events).order_by(events.c.id)).all()
        found: list[Fact] = []
        for row in rows:
            at = row.at.timestamp()
            if row.kind == ELECTED:
                found.append(Term(at=at, number=int(row.reason.split()[1]), holder=row.actor))
            else:
                found.append(
                    Trail(
                        at=at,
                        kind=row.kind,
                        actor=row.actor,
                        instance=row.instance_id,
                        project=row.project,
                        reason=row.reason,
                    )
                )
        return found
