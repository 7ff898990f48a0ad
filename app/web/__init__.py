"""HTTP: parse, call, render."""

from functools import cache

from flask import Flask
from werkzeug.exceptions import NotFound

from app.ports import Catalogue, Clock, History, Presence
from app.service.access import Gate
from app.service.allocation import Allocator
from app.service.mailbox import Mailbox
from app.service.operator import Operator
from app.service.sessions import Sessions
from app.service.status import StatusReader
from app.telemetry.metrics import Metrics
from app.web import (
    allocation,
    answers,
    auth,
    current,
    dashboard,
    docs,
    health,
    problems,
    reading,
    request_id,
    status,
)
from app.web import metrics as monitoring
from app.web.application import Application
from app.web.dashboard import actions, login
from app.web.document import document
from app.web.v1 import allocations, events, instances, pools, webhooks


def create_app(
    *,
    allocator: Allocator,
    catalogue: Catalogue,
    operator: Operator,
    status_reader: StatusReader,
    gate: Gate,
    sessions: Sessions,
    history: History,
    presence: Presence,
    mailbox: Mailbox,
    clock: Clock,
    metrics: Metrics,
    proxy_hops: int = 0,
) -> Flask:
    """Build the WSGI application; see auth.guard for who may use it."""
    app = Application(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # /v1//x is no way to write /v1/x: it would be answered with a redirect
    app.url_map.converters["first_word"] = allocation.FirstWord
    app.json.sort_keys = False  # type: ignore[attr-defined]  # keys stand in the order the contract has them
    app.config["MAX_CONTENT_LENGTH"] = reading.READ_AT_MOST
    request_id.name_each(app)
    answers.note_each(app, metrics)
    app.before_request(_refuse_slashes)
    problems.register(app, dashboard.as_page)
    app.register_blueprint(health.blueprint(status_reader))
    app.register_blueprint(monitoring.blueprint(status_reader, metrics))
    app.register_blueprint(allocation.blueprint(allocator))
    app.register_blueprint(status.blueprint(status_reader))
    app.register_blueprint(allocations.blueprint(allocator, catalogue))
    app.register_blueprint(instances.blueprint(allocator, catalogue))
    app.register_blueprint(pools.blueprint(status_reader, operator))
    app.register_blueprint(events.blueprint(catalogue))
    app.register_blueprint(webhooks.blueprint(mailbox))
    app.register_blueprint(docs.blueprint(cache(lambda: document(app))))
    app.register_blueprint(
        dashboard.blueprint(
            status_reader=status_reader,
            catalogue=catalogue,
            history=history,
            presence=presence,
            clock=clock,
        )
    )
    app.register_blueprint(
        actions.blueprint(
            allocator=allocator, catalogue=catalogue, operator=operator, status_reader=status_reader
        )
    )
    app.register_blueprint(login.blueprint(gate, sessions))
    auth.guard(app, gate, sessions, proxy_hops=proxy_hops)  # last: it knows every route by now
    return app


def _refuse_slashes() -> None:
    """//x is no way to write /x either; werkzeug takes it for that, whatever merge_slashes says."""
    if current.request().environ["PATH_INFO"].startswith("//"):
        raise NotFound
