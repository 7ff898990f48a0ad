"""The dashboard: what people look at. Rendered here; assets/script.js keeps it up to date."""

from flask import Blueprint, Response, render_template
from werkzeug.exceptions import NotFound

from app.domain.access import Role
from app.ports import Catalogue, Clock, History, Presence
from app.service.status import StatusReader
from app.web import auth, reading
from app.web.dashboard import chart, flash, kept, words
from app.web.dashboard.errors import as_page
from app.web.dashboard.overview import Overviews
from app.web.dashboard.queries import OverviewQuery
from app.web.pages import page

__all__ = ["as_page", "blueprint"]


def blueprint(
    *, status_reader: StatusReader, catalogue: Catalogue, history: History, presence: Presence, clock: Clock
) -> Blueprint:
    """Serve /dashboard, the parts that it asks for, and what it is made of."""
    pages = Blueprint("dashboard", __name__, template_folder="templates", url_prefix="/dashboard")
    overviews = Overviews(
        status_reader=status_reader, catalogue=catalogue, history=history, presence=presence, clock=clock
    )
    words.teach(pages)

    @pages.get("")
    @page(Role.VIEWER)
    def overview() -> Response:
        asked = reading.query(OverviewQuery)
        shown = overviews.read(asked)
        drawn = chart.draw(history, shown.pool.config.name, asked.hours, clock.now())
        return flash.told(
            kept.page(
                render_template(
                    "overview.html",
                    view=shown,
                    chart=drawn,
                    asked=asked,
                    identity=auth.known_identity(),
                    said=flash.read(),
                )
            )
        )

    @pages.get("/live")
    @page(Role.VIEWER)
    def live() -> Response:
        shown = overviews.read(reading.query(OverviewQuery))
        return kept.fragment(render_template("live.html", view=shown, identity=auth.known_identity()))

    @pages.get("/chart")
    @page(Role.VIEWER)
    def chart_alone() -> Response:
        asked = reading.query(OverviewQuery)
        drawn = chart.draw(history, overviews.pool_of(asked.pool), asked.hours, clock.now())
        return kept.fragment(render_template("chart.html", chart=drawn, asked=asked))

    @pages.get("/assets/<name>")
    @page(None)
    def asset(name: str) -> Response:
        if name not in kept.ASSETS:
            raise NotFound("There is no such file.")
        return kept.asset(name)

    return pages
