"""What a service has written down of itself: looked up in its database, beside it."""

from datetime import UTC, datetime, timedelta

from app.domain.history import GRAIN, KEPT, Sample
from app.domain.model import DEFAULT_POOL
from app.domain.replicas import SeenReplica
from app.registry.history import SqlHistory
from app.registry.inspection import open_any
from app.registry.presence import SqlPresence
from app.registry.transactions import Transactions
from tests.e2e.processes import Service


def replicas(service: Service) -> list[SeenReplica]:
    """All that are known, also those not seen for a while."""
    with open_any(service.settings["ORCHESTRATOR_DATABASE_URL"]) as engine:
        return list(SqlPresence(Transactions(engine)).lately(timedelta(hours=1)))


def samples(service: Service) -> list[Sample]:
    """All samples of the pool `default`."""
    with open_any(service.settings["ORCHESTRATOR_DATABASE_URL"]) as engine:
        return list(SqlHistory(Transactions(engine)).since(DEFAULT_POOL, _now() - KEPT, step=GRAIN))


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the service's own clock
