"""For load balancers: is the process alive, and should it get requests."""

from flask import Blueprint, Response, jsonify

from app.service.status import StatusReader
from app.web import schemas
from app.web.problems import problem


def blueprint(status_reader: StatusReader) -> Blueprint:
    """Serve /healthz and /readyz."""
    pages = Blueprint("health", __name__)

    @pages.get("/healthz")
    def healthz() -> Response:
        return jsonify({"status": "ok"})

    @pages.get("/readyz")
    def readyz() -> Response:
        health = status_reader.health()
        report = {check.name: {"passed": check.passed, "detail": check.detail} for check in health.checks}
        failed = [f"{check.name}: {check.detail}" for check in health.checks if not check.passed]
        told = {"checks": report, **schemas.duty(health.duty)}
        if failed:
            return problem(503, code="not-ready", title="Not ready", detail="; ".join(failed), **told)
        return jsonify({"status": "ready", **told})

    return pages
