"""What each pool has to itself: its way to AWS, its probers, its passes."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

from app.aws.account import Account, StaticKeys
from app.aws.budget import AT_REST
from app.aws.connection import AGENT, Connection, Watch
from app.aws.gateway import AwsCloud
from app.aws.preflight import AwsPreflight
from app.domain.model import PoolName
from app.poller import Jobs, NewJobs
from app.ports import Activity, Clock, ControlPanel, Lifetimes, Mandate, Meter, Prober, Registry
from app.probe.heartbeat import HeartbeatReader
from app.probe.http import HttpProber
from app.probe.none import NoProber
from app.probe.tcp import TcpProber
from app.service.activity import NoWatch, UseWatch
from app.service.examination import Examination
from app.service.permission import Permission
from app.service.readiness import Readiness
from app.service.reconcile import PassReport, Reconciler
from app.service.timekeeping import Timekeeper
from app.settings import PoolSettings, Settings
from app.telemetry.probes import MeteredProber

QUICK = 0.3
"""Seconds that a claim waits at most for an instance of which nothing was heard lately."""

AnyProber = HttpProber | TcpProber | NoProber


def connections(
    settings: Settings, agent: str = AGENT, *, watch: Watch | None = None
) -> Mapping[PoolName, Connection]:
    """Make each pool's own way to AWS; those of one region share the account's session and budget."""
    keys = None
    if settings.aws_access_key is not None and settings.aws_secret_key is not None:
        keys = StaticKeys(settings.aws_access_key, settings.aws_secret_key.get_secret_value())
    regions = _regions(settings)
    accounts = {name: Account(region=name, keys=keys, pools=count) for name, count in regions.items()}
    return {
        name: Connection(accounts[pool.region], agent=agent, watch=watch)
        for name, pool in settings.pools.items()
    }


def intervals(settings: Settings) -> Mapping[PoolName, timedelta]:
    """Tell how long each pool at rest waits for its next pass: longer where many share what AWS is asked."""
    regions = _regions(settings)
    return {
        name: timedelta(seconds=max(settings.poll_interval, regions[pool.region] / AT_REST))
        for name, pool in settings.pools.items()
    }


def _regions(settings: Settings) -> Mapping[str, int]:
    return Counter(pool.region for pool in settings.pools.values())


def new_jobs(
    pool: PoolSettings,
    connection: Connection,
    registry: Registry,
    controls: ControlPanel,
    lifetimes: Lifetimes,
    *,
    activity: Activity,
    meter: Meter,
    clock: Clock,
) -> NewJobs:
    """Return what makes one pool's jobs of a term: what a leader remembers, it forgets with its term."""
    policy, ready = pool.policy, metered(prober(pool), pool, meter)

    def jobs(mandate: Mandate) -> Jobs:
        confirm = Permission(mandate, controls, pool.name).confirm
        cloud = AwsCloud(connection, group=pool.group, address=pool.address, clock=clock, confirm=confirm)
        readiness = Readiness(
            policy=policy,
            registry=registry,
            controls=controls,
            prober=ready,
            mandate=mandate,
            meter=meter,
            clock=clock,
        )
        examination = Examination(
            AwsPreflight(connection, pool.group, clock, confirm=confirm, patient=True),
            policy=policy,
            controls=controls,
            monotonic=time.monotonic,
        )
        reconciler = Reconciler(
            policy=policy,
            registry=registry,
            controls=controls,
            cloud=cloud,
            examination=examination,
            readiness=readiness,
            mandate=mandate,
            clock=clock,
        )

        watch = _watch(pool, activity, mandate, meter)
        timekeeper = Timekeeper(
            pool.name, lifetimes=lifetimes, see=watch.look_at, mandate=mandate, meter=meter
        )

        def tick(urgent: bool, wanted: Callable[[], bool]) -> PassReport:
            return reconciler.tick(urgent=urgent, wanted=wanted)

        return Jobs(
            tick=tick,
            probe=readiness.round,
            examine=examination.make,
            keep_time=timekeeper.round,
            watch=watch.round,
        )

    return jobs


def _watch(pool: PoolSettings, activity: Activity, mandate: Mandate, meter: Meter) -> UseWatch | NoWatch:
    """Make what watches the use of the pool's allocations: where they speak HTTP, or are said to tell it."""
    if pool.readiness != "http" and pool.terms.idle_timeout is None:
        return NoWatch()
    return UseWatch(
        pool=pool.name,
        terms=pool.terms,
        activity=activity,
        reader=HeartbeatReader(),
        mandate=mandate,
        meter=meter,
        monotonic=time.monotonic,
    )


def prober(pool: PoolSettings) -> AnyProber:
    """Make the pool's prober."""
    if pool.readiness == "http":
        return HttpProber(pool.readiness_path)
    return TcpProber() if pool.readiness == "tcp" else NoProber()


def metered(prober: AnyProber, pool: PoolSettings, meter: Meter) -> Prober:
    """Have what a prober finds counted; one that asks nobody finds nothing."""
    return prober if isinstance(prober, NoProber) else MeteredProber(prober, pool.name, meter)


def quick_prober(pool: PoolSettings) -> AnyProber:
    """Make one that a claim can wait for."""
    if pool.readiness == "http":
        return HttpProber(pool.readiness_path, timeout=QUICK, deadline=QUICK)
    return TcpProber(timeout=QUICK, deadline=QUICK) if pool.readiness == "tcp" else NoProber()
