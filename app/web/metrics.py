"""For Prometheus: how the pools stand, and what was counted."""

from flask import Blueprint, Response, request

from app.domain.errors import RegistryUnavailable
from app.service.status import PoolStatus, StatusReader
from app.telemetry.exposition import OPENMETRICS, Figures, PoolFigures, written
from app.telemetry.metrics import Metrics
from app.web.health import TAG
from app.web.operations import Reply, operation
from app.web.queries import SeedQuery


def blueprint(status_reader: StatusReader, metrics: Metrics) -> Blueprint:
    """Serve /metrics."""
    pages = Blueprint("metrics", __name__)

    @pages.get("/metrics")
    @operation(
        "metrics",
        TAG,
        None,
        query=SeedQuery,
        replies={200: Reply(what="Metrics, one a line", media="text/plain")},
    )
    def page() -> Response:
        """Get the metrics.

        Text for Prometheus, or OpenMetrics where `Accept` names `application/openmetrics-text`. What all
        worker processes of this service counted is added up, whichever of them answers. Where the database
        does not answer, `ec2_orchestrator_registry_up` is 0, and what is read from it is left out.
        """
        try:
            figures = _figures(status_reader)
        except RegistryUnavailable:
            figures = None
        accepted = {media.partition(";")[0].strip() for media, quality in request.accept_mimetypes if quality}
        body, media = written(metrics, figures, as_openmetrics=OPENMETRICS in accepted)
        return Response(body, content_type=media, headers={"Vary": "Accept"})

    return pages


def _figures(status_reader: StatusReader) -> Figures:
    summary = status_reader.summary()
    leader = summary.duty.leader
    return Figures(
        pools=[_pool(one) for one in summary.pools],
        term=None if leader is None else leader.term,
        pending=summary.backlog.pending,
        dead=summary.backlog.dead,
        oldest_pending=summary.backlog.oldest.total_seconds(),
    )


def _pool(one: PoolStatus) -> PoolFigures:
    view = one.view
    return PoolFigures(
        pool=one.config.name,
        states=one.count.states,
        held=one.count.held,
        buffer=one.buffer,
        waiting=one.waiting,
        desired=view.group.desired,
        min_size=view.group.min_size,
        max_size=view.group.max_size,
        limited_by=view.limited_by,
        warnings={notice.code for notice in view.notices},
        last_pass_age=None if one.pass_age is None else one.pass_age.total_seconds(),
    )
