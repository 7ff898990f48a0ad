"""From settings to a working service: the only module that names concrete classes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.aws.connection import Connection, StaticKeys
from app.aws.gateway import AwsCloud
from app.poller import Poller
from app.probe.http import HttpProber
from app.probe.none import NoProber
from app.probe.tcp import TcpProber
from app.registry.database import open_database
from app.registry.sql import SqlRegistry
from app.registry.turn import turn_of
from app.service.allocation import Allocator
from app.service.reconcile import Reconciler
from app.service.status import StatusReader
from app.settings import Settings


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
    registry: SqlRegistry
    prober: HttpProber | TcpProber | NoProber

    def close(self) -> None:
        """Stop after the pass in hand, and let go of threads and of the database."""
        self.poller.stop()
        self.prober.close()
        self.registry.close()


def build(settings: Settings) -> Services:
    """Wire everything; nothing runs yet. Raises RegistryUnusable where the database cannot be used."""
    clock = SystemClock()
    engine = open_database(settings.database_url)
    registry = SqlRegistry(engine)
    registry.belong_to(settings.pool, group=settings.asg_name, region=settings.aws_region)
    prober = _prober(settings)
    interval = timedelta(seconds=settings.poll_interval)
    keys = None
    if settings.aws_access_key is not None and settings.aws_secret_key is not None:
        keys = StaticKeys(settings.aws_access_key, settings.aws_secret_key.get_secret_value())
    connection = Connection(region=settings.aws_region, keys=keys)
    cloud = AwsCloud(connection, group=settings.asg_name, address=settings.address, clock=clock)
    reconciler = Reconciler(
        policy=settings.policy, registry=registry, cloud=cloud, prober=prober, clock=clock
    )
    poller = Poller(
        reconciler.tick,
        reconciler.settle_boots,
        registry.newest_event,
        turn=turn_of(engine),
        interval=interval,
        clock=clock,
    )
    return Services(
        allocator=Allocator(pool=settings.pool, registry=registry, waker=poller, clock=clock),
        status_reader=StatusReader(
            pool=settings.pool,
            buffer=settings.buffer,
            poll_interval=interval,
            registry=registry,
            clock=clock,
        ),
        poller=poller,
        registry=registry,
        prober=prober,
    )


def _prober(settings: Settings) -> HttpProber | TcpProber | NoProber:
    if settings.readiness == "http":
        return HttpProber(settings.readiness_path)
    return TcpProber() if settings.readiness == "tcp" else NoProber()
