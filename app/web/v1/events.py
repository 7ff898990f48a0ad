"""Events: the audit trail."""

from flask import Blueprint, Response

from app.api.v1 import EventPage
from app.domain.access import Role
from app.ports import Catalogue
from app.web import cursors, examples, rendering
from app.web.operations import Reply, operation
from app.web.queries import EventsQuery

TAG = "Events"


def blueprint(catalogue: Catalogue) -> Blueprint:
    """Serve /v1/events."""
    pages = Blueprint("events", __name__, url_prefix="/v1/events")

    @pages.get("")
    @operation(
        "listEvents",
        TAG,
        Role.VIEWER,
        query=EventsQuery,
        replies={200: Reply(what="A part of the list", model=EventPage, example=examples.EVENTS)},
    )
    def listed(query: EventsQuery) -> Response:
        """List the audit trail.

        The newest first: who did what to which instance and project, and why.
        """
        found = catalogue.events(
            pool=query.pool,
            project=query.project,
            instance=query.instance,
            before=cursors.number("events", query.cursor),
            limit=query.limit,
        )
        return rendering.page("events", found, lambda one: one.id, rendering.event)

    return pages
