"""From settings to a working service: the only module that names concrete classes."""

import os
import random  # noqa: TID251 - the one place that knows where chance comes from
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.aws.connection import AGENT, Connection, StaticKeys
from app.aws.gateway import AwsCloud
from app.aws.preflight import AwsPreflight
from app.domain.errors import NotLeading
from app.poller import Jobs, Poller
from app.ports import Mandate
from app.probe.http import HttpProber
from app.probe.none import NoProber
from app.probe.tcp import TcpProber
from app.registry.bell import PostgresBell, QuietBell, bell_of
from app.registry.database import open_database
from app.registry.inspection import examine_database, open_read_only
from app.registry.leases import SqlLeases
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.allocation import Allocator
from app.service.doctor import Doctor
from app.service.examination import Examination
from app.service.leadership import Leadership
from app.service.preview import Preview, preview
from app.service.readiness import Readiness
from app.service.reconcile import Reconciler
from app.service.shortage import newest_failure
from app.service.status import StatusReader
from app.settings import Settings

BESIDE = 5
"""Connections to the database, beside one for each thread that serves: pass, probes, lease, and two more."""
QUICK = 0.3
"""Seconds that a claim waits at most for an instance of which nothing was heard lately."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """See Clock.now."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that asks for the time


@dataclass(frozen=True, slots=True)
class Services:
    """What the entry points need."""

    allocator: Allocator
    status_reader: StatusReader
    poller: Poller
    bell: QuietBell | PostgresBell
    transactions: Transactions

    def close(self) -> None:
        """Stop after the pass in hand, and let go of leadership, of threads and of the database."""
        self.poller.stop()
        self.bell.close()
        self.transactions.close()


def build(settings: Settings, *, patient: bool = False) -> Services:
    """Wire everything; nothing runs yet. Raises RegistryUnusable where the database cannot be used.

    Where it cannot be reached just now, the `patient` get their services all the same: requests fail with
    RegistryUnavailable until it is back.
    """
    clock = SystemClock()
    replica = _replica()
    engine = open_database(settings.database_url, connections=settings.threads + BESIDE, patient=patient)
    transactions = Transactions(engine)
    registry, leases = SqlRegistry(transactions), SqlLeases(transactions)
    registry.belong_to(settings.pool, group=settings.asg_name, region=settings.aws_region, patient=patient)
    bell = bell_of(engine, registry.newest_event, time.monotonic)
    interval = timedelta(seconds=settings.poll_interval)
    poller = Poller(
        _jobs(settings, registry, clock, agent=f"{AGENT}/{replica}"),
        leadership=Leadership(leases, replica=replica, monotonic=time.monotonic),
        bell=bell,
        interval=interval,
        monotonic=time.monotonic,
        chance=random.random,
    )
    return Services(
        allocator=Allocator(
            pool=settings.pool,
            registry=registry,
            quick_prober=_quick_prober(settings),
            waker=poller,
            clock=clock,
        ),
        status_reader=StatusReader(
            pool=settings.pool,
            buffer=settings.buffer,
            poll_interval=interval,
            registry=registry,
            leases=leases,
            replica=replica,
            clock=clock,
        ),
        poller=poller,
        bell=bell,
        transactions=transactions,
    )


def _jobs(
    settings: Settings, registry: SqlRegistry, clock: SystemClock, *, agent: str
) -> Callable[[Mandate], Jobs]:
    """Return what makes a term's jobs: everything that a leader remembers, it forgets with its term."""
    connection, prober = _connection(settings, agent), _prober(settings)

    def jobs(mandate: Mandate) -> Jobs:
        cloud = AwsCloud(
            connection,
            group=settings.asg_name,
            address=settings.address,
            clock=clock,
            confirm=mandate.confirm,
        )
        readiness = Readiness(
            policy=settings.policy, registry=registry, prober=prober, mandate=mandate, clock=clock
        )
        examination = Examination(
            AwsPreflight(connection, settings.asg_name, clock, confirm=mandate.confirm),
            buffer=settings.policy.buffer,
            monotonic=time.monotonic,
        )
        reconciler = Reconciler(
            policy=settings.policy,
            registry=registry,
            cloud=cloud,
            examination=examination,
            readiness=readiness,
            mandate=mandate,
            clock=clock,
        )
        return Jobs(tick=reconciler.tick, probe=readiness.round, examine=examination.make)

    return jobs


def _replica() -> str:
    """Name this process: where it runs, for people, and by chance, so that no other ever has its name."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def _connection(settings: Settings, agent: str = AGENT) -> Connection:
    keys = None
    if settings.aws_access_key is not None and settings.aws_secret_key is not None:
        keys = StaticKeys(settings.aws_access_key, settings.aws_secret_key.get_secret_value())
    return Connection(region=settings.aws_region, keys=keys, agent=agent)


def _prober(settings: Settings) -> HttpProber | TcpProber | NoProber:
    if settings.readiness == "http":
        return HttpProber(settings.readiness_path)
    return TcpProber() if settings.readiness == "tcp" else NoProber()


def _quick_prober(settings: Settings) -> HttpProber | TcpProber | NoProber:
    """Make one that a claim can wait for."""
    if settings.readiness == "http":
        return HttpProber(settings.readiness_path, timeout=QUICK, deadline=QUICK)
    return TcpProber(timeout=QUICK, deadline=QUICK) if settings.readiness == "tcp" else NoProber()


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the command line looks with; it changes nothing."""

    doctor: Doctor
    preview: Callable[[], Preview]
    """Raises RegistryUnusable, RegistryUnavailable or CloudError."""


def inspect(settings: Settings) -> Inspection:
    """Wire what looks; nothing is opened yet."""
    clock = SystemClock()
    connection = _connection(settings)
    cloud = AwsCloud(
        connection, group=settings.asg_name, address=settings.address, clock=clock, confirm=_refuse
    )
    place = {"group": settings.asg_name, "region": settings.aws_region}

    def look() -> Preview:
        with open_read_only(settings.database_url, settings.pool, **place) as engine:
            return preview(
                policy=settings.policy,
                registry=SqlRegistry(Transactions(engine)),
                cloud=cloud,
                clock=clock,
                launch_failure=lambda seen: newest_failure(seen, cloud, clock),
            )

    doctor = Doctor(
        **place,
        policy=settings.policy,
        readiness=settings.readiness,
        address=settings.address,
        warnings=settings.warnings,
        database=lambda: examine_database(settings.database_url, settings.pool, **place),
        preflight=AwsPreflight(connection, settings.asg_name, clock, confirm=_changes_nothing),
        cloud=cloud,
        prober=_prober(settings),
        clock=clock,
    )
    return Inspection(doctor, look)


def _refuse() -> None:
    raise NotLeading("The command line changes nothing.")


def _changes_nothing() -> None:
    """Confirm the doctor's trials: AWS must refuse each of them."""
