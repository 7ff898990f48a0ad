"""What a person may change, in two steps: a page that tells what will be lost or changed, and its answer.

A GET asks and changes nothing. The POST to the same address does it, if all is still as it was shown, and
leads back to the dashboard; whatever keeps it from that is told on the same page.
"""

from collections.abc import Mapping
from math import ceil
from typing import Protocol
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from app.domain.access import Role
from app.domain.errors import (
    AllocatedElsewhere,
    HoldTooLate,
    InvalidInput,
    OrchestratorError,
    PoolExhausted,
    VersionChanged,
)
from app.domain.model import DEFAULT_POOL
from app.ports import Catalogue
from app.service.allocation import Allocator
from app.service.operator import Operator
from app.service.status import StatusReader
from app.web import auth, facts, problems, reading, visitors
from app.web.dashboard import flash, kept
from app.web.dashboard.flash import Said
from app.web.dashboard.instance_actions import Allocate, Destroy, Hold, Release, Renew, Unhold
from app.web.dashboard.pool_actions import Pause, Resume, SetBuffer
from app.web.dashboard.questions import Question
from app.web.pages import page


class Action(Protocol):
    """One thing that may be done; which thing it is done to stands in the query."""

    role: Role
    """Who may do it."""

    def ask(self, typed: Mapping[str, str], /) -> Question:
        """Return what to show before it is done, as things stand; `typed` is what the form had last time."""
        ...

    def do(self, form: Mapping[str, str], actor: str) -> Said:
        """Do it, and return what to tell; where it is not as was shown, only raise VersionChanged."""
        ...


def blueprint(
    *, allocator: Allocator, catalogue: Catalogue, operator: Operator, status_reader: StatusReader
) -> Blueprint:
    """Serve /dashboard/do/..."""
    pages = Blueprint("actions", __name__, template_folder="templates", url_prefix="/dashboard/do")
    actions: Mapping[str, Action] = {
        "allocate": Allocate(allocator, catalogue, status_reader),
        "renew": Renew(allocator, catalogue, status_reader),
        "release": Release(allocator, catalogue, status_reader),
        "destroy": Destroy(allocator, catalogue, status_reader),
        "hold": Hold(allocator, catalogue, status_reader),
        "unhold": Unhold(allocator, catalogue, status_reader),
        "pause": Pause(operator, status_reader),
        "resume": Resume(operator, status_reader),
        "buffer": SetBuffer(operator, status_reader),
    }
    for name, action in actions.items():
        _serve(pages, name, action)
    return pages


def _serve(pages: Blueprint, name: str, action: Action) -> None:
    @page(action.role)
    def view() -> Response:
        if request.method == "POST":
            return _done(action)
        return _asked(action.ask({}), back=_referred())

    pages.add_url_rule(f"/{name}", name, view, methods=["GET", "POST"])


def _done(action: Action) -> Response:
    form = reading.form()
    back = _home(form.get("back"))
    try:
        said = action.do(form, auth.actor())
    except (VersionChanged, HoldTooLate) as error:  # to be looked at anew, and decided anew
        return _refused(action.ask({}), error, back)
    except (InvalidInput, PoolExhausted, AllocatedElsewhere) as error:
        return _refused(action.ask(form), error, back)
    answer = visitors.seen_other(back or visitors.HOME)
    flash.put(answer, said)
    return answer


def _refused(question: Question, error: OrchestratorError, back: str | None) -> Response:
    facts.answered_with(error.code)
    answer = _asked(question, back=back, refused=error)
    if isinstance(error, PoolExhausted):
        answer.headers["Retry-After"] = str(ceil(error.retry_after.total_seconds()))
    return answer


def _asked(question: Question, *, back: str | None, refused: OrchestratorError | None = None) -> Response:
    status = 200 if refused is None else problems.status_of(type(refused)) or 500
    html = render_template(
        "confirm.html",
        question=question,
        refused=refused,
        back=back or _pool_page(question.pool),
        action=request.full_path.rstrip("?"),
        identity=auth.known_identity(),
    )
    return kept.page(html, status)


def _referred() -> str | None:
    """Return the page of ours that led here, with its filters."""
    _, _, address = request.headers.get("Referer", "").partition("://")
    host, _, path = address.partition("/")
    return _home(f"/{path}") if host == request.host else None


def _home(path: str | None) -> str | None:
    """Return the path where it is the dashboard itself, however filtered; None for anything else."""
    own = visitors.own_path(path)
    return own if own is not None and own.partition("?")[0] == visitors.HOME else None


def _pool_page(pool: str | None) -> str:
    named = pool is not None and pool != DEFAULT_POOL
    return f"{visitors.HOME}?{urlencode({'pool': pool})}" if named else visitors.HOME
