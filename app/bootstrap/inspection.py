"""What the command line looks with: it changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.aws.gateway import AwsCloud
from app.aws.preflight import AwsPreflight
from app.bootstrap.clock import SystemClock
from app.bootstrap.guarding import examine_guard
from app.bootstrap.pools import connections, prober
from app.domain.errors import NotLeading, PoolNotFound
from app.domain.finding import Finding
from app.domain.model import PoolName
from app.registry.controls import SqlControls
from app.registry.inspection import examine_database, open_read_only
from app.registry.lifetimes import SqlLifetimes
from app.registry.ownership import Owner
from app.registry.sql import SqlRegistry
from app.registry.transactions import Transactions
from app.service.doctor import Doctor, PoolDoctor
from app.service.preview import Preview, preview
from app.service.shortage import newest_failure
from app.settings import Settings
from app.webhook import examine_webhook


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the command line looks with."""

    doctor: Doctor
    preview: Callable[[PoolName], Preview]
    """Raises PoolNotFound, RegistryUnusable, RegistryUnavailable or CloudError."""


def inspect(settings: Settings) -> Inspection:
    """Wire what looks; nothing is opened yet."""
    clock, to_aws = SystemClock(), connections(settings)
    pools = settings.pools
    owners = {name: Owner(pool.group, pool.region) for name, pool in pools.items()}
    clouds = {
        name: AwsCloud(to_aws[name], group=pool.group, address=pool.address, clock=clock, confirm=_refuse)
        for name, pool in pools.items()
    }

    def look(name: PoolName) -> Preview:
        if name not in pools:
            raise PoolNotFound(f"The settings name no pool '{name}'. There are: {', '.join(sorted(pools))}.")
        cloud = clouds[name]
        with open_read_only(settings.database_url, name, owners[name]) as engine:
            transactions = Transactions(engine)
            found = preview(
                policy=pools[name].policy,
                registry=SqlRegistry(transactions),
                controls=SqlControls(transactions),
                cloud=cloud,
                clock=clock,
                launch_failure=lambda rest: newest_failure(rest, cloud, clock),
            )
            return replace(found, due=SqlLifetimes(transactions).due(name))

    doctor = Doctor(
        [
            PoolDoctor(
                pool,
                preflight=AwsPreflight(
                    to_aws[name], pool.group, clock, confirm=_changes_nothing, patient=True
                ),
                cloud=clouds[name],
                prober=prober(pool),
                clock=clock,
            )
            for name, pool in pools.items()
        ],
        warnings=settings.warnings,
        database=lambda: [
            *examine_database(settings.database_url, owners),
            *examine_guard(settings),
            _webhook(settings),
        ],
    )
    return Inspection(doctor, look)


def _webhook(settings: Settings) -> Finding:
    webhook = settings.webhook
    if webhook is None:
        return examine_webhook(None)
    return examine_webhook(webhook.url, link_local=webhook.link_local)


def _refuse() -> None:
    raise NotLeading("The command line changes nothing.")


def _changes_nothing() -> None:
    """Confirm the doctor's trials: AWS must refuse each of them."""
