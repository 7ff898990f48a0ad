"""HTTP: parse, call, render."""

from flask import Flask
from pydantic import SecretStr

from app.service.allocation import Allocator
from app.service.status import StatusReader
from app.web import access_log, allocation, auth, health, problems, status


def create_app(
    *,
    allocator: Allocator,
    status_reader: StatusReader,
    token: SecretStr | None,
    loopback_only: bool = False,
) -> Flask:
    """Build the WSGI application; see auth.require for who may use it."""
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # keys stand in the order the contract has them
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    access_log.log_each(app)
    problems.register(app)
    auth.require(app, token, loopback_only=loopback_only)
    app.register_blueprint(health.blueprint(status_reader))
    app.register_blueprint(status.blueprint(status_reader))
    app.register_blueprint(allocation.blueprint(allocator))
    return app
