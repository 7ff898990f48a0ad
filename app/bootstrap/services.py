"""The service: what the entry points run and serve."""

import itertools
import os
import random  # noqa: TID251 - the one place that knows where chance comes from
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Event

from app.aws.connection import AGENT
from app.bootstrap import guarding, pools
from app.bootstrap.clock import SystemClock
from app.bootstrap.version import own_version
from app.domain.errors import RegistryUnavailable, SettingsInvalid
from app.domain.model import PoolName
from app.poller import Poller
from app.ports import RequestId
from app.registry.activity import SqlActivity
from app.registry.bell import PostgresBell, QuietBell, bell_of
from app.registry.catalogue import SqlCatalogue
from app.registry.census import SqlCensus
from app.registry.controls import SqlControls
from app.registry.database import open_database
from app.registry.history import SqlHistory
from app.registry.leases import SqlLeases
from app.registry.lifetimes import SqlLifetimes
from app.registry.line import SqlLine
from app.registry.news import News
from app.registry.outbox import SqlOutbox
from app.registry.ownership import Owner, belong_to
from app.registry.presence import SqlPresence
from app.registry.sessions import SqlSessions
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.access import Gate
from app.service.allocation import Allocator
from app.service.delivery import Postman
from app.service.leadership import Leadership
from app.service.mailbox import Mailbox
from app.service.operator import Operator
from app.service.roll_call import RollCall
from app.service.sampling import Sampler
from app.service.sessions import Sessions
from app.service.status import StatusReader, unknown_pools
from app.service.waiting import WaitingRoom
from app.settings import PoolSettings, Settings
from app.telemetry import folder
from app.telemetry.metrics import Metrics
from app.webhook import WebhookSender

BESIDE = 7
"""Connections to the database, beside one for each thread that serves: what is kept to write with, the lease,
the samples, the webhook, the roll call, and two more."""
BESIDE_PER_POOL = 4
"""And these for each pool: its passes, its probes, its time limits, its activity."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the entry points need."""

    allocator: Allocator
    waiting_room: WaitingRoom
    status_reader: StatusReader
    operator: Operator
    catalogue: SqlCatalogue
    history: SqlHistory
    presence: SqlPresence
    mailbox: Mailbox
    clock: SystemClock
    gate: Gate
    sessions: Sessions
    metrics: Metrics
    roll_call: RollCall
    poller: Poller
    bell: QuietBell | PostgresBell
    transactions: Transactions
    pools: Mapping[PoolName, PoolSettings]

    def warnings(self) -> tuple[str, ...]:
        """Tell what the database shows to be wrong with the settings: sentences for the log at start."""
        try:
            survey = SqlCensus(self.transactions).survey(now=self.clock.now())
            unknown = unknown_pools(survey.counts, self.pools)
            return *(one.detail for one in unknown), *guarding.guard_warnings(self.gate)
        except RegistryUnavailable:  # that is told wherever it is needed
            return ()

    def close(self) -> None:
        """Stop after the passes in hand, and let go of leadership, of threads and of the database."""
        self.poller.stop()
        self.roll_call.end()
        self.bell.close()
        self.gate.close()
        self.transactions.close()


def build(settings: Settings, *, patient: bool = False) -> Services:
    """Wire everything; nothing runs yet. Raises RegistryUnusable where the database cannot be used.

    Where it cannot be reached just now, the `patient` get their services all the same: requests fail with
    RegistryUnavailable until it is back.
    """
    clock, replica = SystemClock(), _replica()
    metrics = _metrics(settings)
    beside = BESIDE + BESIDE_PER_POOL * len(settings.pools)
    engine = open_database(settings.database_url, connections=settings.threads + beside, patient=patient)
    transactions = Transactions(engine, tells=settings.webhook is not None)
    owners = {name: Owner(pool.group, pool.region) for name, pool in settings.pools.items()}
    belong_to(transactions, owners, patient=patient)
    registry, controls, leases = SqlRegistry(transactions), SqlControls(transactions), SqlLeases(transactions)
    bell = bell_of(engine, News(transactions, settings.pools).look, settings.pools, time.monotonic)
    intervals = pools.intervals(settings)
    to_aws = pools.connections(settings, f"{AGENT}/{replica}", watch=metrics.aws_answered)
    status_reader = StatusReader(
        pools=settings.pools,
        poll_interval=max(intervals.values()),
        census=SqlCensus(transactions),
        replica=replica,
        clock=clock,
        webhook=settings.webhook is not None,
    )
    history, presence, outbox = SqlHistory(transactions), SqlPresence(transactions), SqlOutbox(transactions)
    gate = guarding.gate_of(settings, transactions, clock)
    poller = Poller(
        {
            name: pools.new_jobs(
                pool,
                to_aws[name],
                registry,
                controls,
                SqlLifetimes(transactions),
                activity=SqlActivity(transactions),
                meter=metrics,
                clock=clock,
            )
            for name, pool in settings.pools.items()
        },
        leadership=Leadership(leases, replica=replica, monotonic=time.monotonic),
        bell=bell,
        intervals=intervals,
        sample=Sampler(status_reader=status_reader, history=history, clock=clock).take,
        deliver=_delivery(settings, outbox, metrics, clock),
        meter=metrics,
        monotonic=time.monotonic,
        chance=random.random,
    )
    line = SqlLine(transactions)
    # Requests that wait hold a thread each: half of them stay free for all others.
    waiting_room = WaitingRoom(
        line=line,
        requests=map(partial(_request, replica), itertools.count()),
        places=settings.threads // 2,
        pools=settings.pools,
        clock=clock,
        monotonic=time.monotonic,
        sleep=Event.wait,
    )
    return Services(
        allocator=Allocator(
            quick_probers={
                name: pools.metered(pools.quick_prober(pool), pool, metrics)
                for name, pool in settings.pools.items()
            },
            terms={name: pool.terms for name, pool in settings.pools.items()},
            registry=registry,
            waker=poller,
            clock=clock,
            line=line,
            waiting_room=waiting_room,
            meter=metrics,
            monotonic=time.monotonic,
        ),
        waiting_room=waiting_room,
        status_reader=status_reader,
        operator=Operator(
            buffers={name: pool.buffer for name, pool in settings.pools.items()},
            controls=controls,
            waker=poller,
            clock=clock,
        ),
        catalogue=SqlCatalogue(transactions),
        history=history,
        presence=presence,
        mailbox=Mailbox(outbox, on=settings.webhook is not None),
        clock=clock,
        gate=gate,
        sessions=Sessions(
            store=SqlSessions(transactions), gate=gate, clock=clock, chance=secrets.token_bytes
        ),
        metrics=metrics,
        roll_call=RollCall(presence, replica=replica, version=own_version(), clock=clock),
        poller=poller,
        bell=bell,
        transactions=transactions,
        pools=settings.pools,
    )


def _delivery(
    settings: Settings, outbox: SqlOutbox, metrics: Metrics, clock: SystemClock
) -> Callable[[], None]:
    """Return what sends the messages that are due, and forgets the old ones."""
    webhook, sender = settings.webhook, None
    if webhook is not None:
        sender = WebhookSender(webhook.url, webhook.keys, clock=clock, link_local=webhook.link_local)
    return Postman(
        outbox=outbox, sender=sender, meter=metrics, monotonic=time.monotonic, chance=random.random
    ).round


def _metrics(settings: Settings) -> Metrics:
    try:
        return Metrics(settings.pools, version=own_version())
    except OSError as error:  # gunicorn.conf.py has made the folder; scheduler.py needs none
        raise SettingsInvalid(
            f"{folder.VARIABLE}: {error}. It is for gunicorn alone: no other process needs it."
        ) from None


def _request(replica: str, number: int) -> RequestId:
    return RequestId(f"{replica}/{number}")


def _replica() -> str:
    """Name this process: where it runs, for people, and by chance, so that no other ever has its name."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
