"""For people who look: what is there, and where to go from here."""

from flask import Blueprint, Response, jsonify, request

from app.api.seed import Status
from app.domain.access import Role
from app.service.status import StatusReader
from app.web import examples, rendering, spool
from app.web.operations import Reply, operation
from app.web.queries import SeedQuery

TAG = "In short"


def blueprint(status_reader: StatusReader) -> Blueprint:
    """Serve /status, and at / a signpost; a browser is led to the dashboard."""
    pages = Blueprint("status", __name__)

    @pages.get("/")
    def index() -> Response:
        answer = _to_dashboard() if _prefers_pages() else _signpost()
        answer.vary.add("Accept")
        return answer

    @pages.get("/status")
    @operation(
        "status",
        TAG,
        Role.VIEWER,
        query=SeedQuery,
        replies={200: Reply(what="How things stand", model=Status, example=examples.STATUS)},
    )
    def status() -> Response:
        """Show the pools and the instances.

        The figures of every pool, and every instance of the pool `default`.

        `totalMachines` is idle + used: what boots, terminates or is kept from projects by a hold is counted
        apart. `limitedBy` and `warnings` say why the buffer is not full, and what else an operator should
        know.

        All of it is of one moment. A pool of 10,000 instances makes 4 MB: `GET /v1/instances` has the same a
        page at a time, and `GET /v1/pools` the figures alone.
        """
        with status_reader.status() as now:
            return spool.answer(rendering.status(now))

    return pages


def _prefers_pages() -> bool:
    """Whether a browser asks: it names HTML, and likes it better than JSON; others take anything."""
    accepts = request.accept_mimetypes
    return accepts["text/html"] > accepts["application/json"]


def _to_dashboard() -> Response:
    return Response(status=302, headers={"Location": "/dashboard"})  # no host in it: Host would choose where


def _signpost() -> Response:
    return jsonify(
        {
            "service": "ec2-orchestrator",
            "try": {
                "GET /<projectId>": "the project's instance; takes an idle one if it holds none",
                "POST /destroy": 'ends an instance: {"machineId": "i-..."}',
                "GET /status": "every instance, and how full the buffer is",
                "GET /dashboard": "the same to look at, in a browser",
                "GET /docs": "all the rest, under /v1: for people",
                "GET /openapi.json": "the same for programs",
                "GET /metrics": "figures for Prometheus",
                "GET /healthz": "200 while the process serves",
                "GET /readyz": "200 while it can do its work, otherwise why not",
            },
        }
    )
