"""For people who look: what is there, and where to go from here."""

from flask import Blueprint, Response, jsonify

from app.service.status import StatusReader
from app.web import schemas


def blueprint(status_reader: StatusReader) -> Blueprint:
    """Serve /status, and a signpost at /."""
    pages = Blueprint("status", __name__)

    @pages.get("/")
    def index() -> Response:
        return jsonify(
            {
                "service": "ec2-orchestrator",
                "try": {
                    "GET /<projectId>": "the project's instance; takes an idle one if it holds none",
                    "POST /destroy": 'ends an instance: {"machineId": "i-..."}',
                    "GET /status": "every instance, and how full the buffer is",
                    "GET /healthz": "200 while the process serves",
                    "GET /readyz": "200 while it can do its work, otherwise why not",
                },
            }
        )

    @pages.get("/status")
    def status() -> Response:
        return jsonify(schemas.status(status_reader.status()))

    return pages
