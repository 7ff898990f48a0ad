"""For load balancers: is the process alive, and should it get requests."""

from flask import Blueprint, Response, jsonify

from app.service.status import StatusReader
from app.web.problems import problem


def blueprint(status_reader: StatusReader) -> Blueprint:
    """Serve /healthz and /readyz."""
    pages = Blueprint("health", __name__)

    @pages.get("/healthz")
    def healthz() -> Response:
        return jsonify({"status": "ok"})

    @pages.get("/readyz")
    def readyz() -> Response:
        checks = status_reader.checks()
        report = {check.name: {"passed": check.passed, "detail": check.detail} for check in checks}
        failed = [f"{check.name}: {check.detail}" for check in checks if not check.passed]
        if failed:
            return problem(503, code="not-ready", title="Not ready", detail="; ".join(failed), checks=report)
        return jsonify({"status": "ready", "checks": report})

    return pages
