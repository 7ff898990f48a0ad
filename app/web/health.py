"""For load balancers: is the process alive, and should it get requests."""

from flask import Blueprint, Response

from app.api.health import Alive, Check, Ready
from app.service.status import StatusReader
from app.web import examples, rendering
from app.web.operations import Reply, operation
from app.web.problems import problem
from app.web.queries import SeedQuery

TAG = "Health"
NOT_READY, NOT_READY_TITLE = "not-ready", "Not ready"


def blueprint(status_reader: StatusReader) -> Blueprint:
    """Serve /healthz and /readyz."""
    pages = Blueprint("health", __name__)

    @pages.get("/healthz")
    @operation(
        "healthz",
        TAG,
        None,
        query=SeedQuery,
        replies={200: Reply(what="It serves", model=Alive, example=examples.ALIVE)},
    )
    def healthz() -> Response:
        """Say that the process serves.

        Touches nothing: a database that is away does not make it fail.
        """
        return rendering.answer(Alive(status="ok"))

    @pages.get("/readyz")
    @operation(
        "readyz",
        TAG,
        None,
        query=SeedQuery,
        replies={200: Reply(what="It is ready", model=Ready, example=examples.READY)},
        problems={503: {NOT_READY: NOT_READY_TITLE}},
    )
    def readyz() -> Response:
        """Say whether the service should get requests.

        `checks` tells of each thing that it needs whether it is so, also in the problem.
        """
        health = status_reader.health()
        told = Ready(
            status="ready",
            checks={check.name: Check(passed=check.passed, detail=check.detail) for check in health.checks},
            last_pass_age_seconds=rendering.pass_age(health.duty),
            replica=health.duty.replica,
            leader=rendering.leader(health.duty),
        )
        if health.ready:
            return rendering.answer(told)
        failed = [f"{check.name}: {check.detail}" for check in health.checks if not check.passed]
        more = told.model_dump(mode="json", by_alias=True, exclude={"status"})
        return problem(503, code=NOT_READY, title=NOT_READY_TITLE, detail="; ".join(failed), **more)

    return pages
