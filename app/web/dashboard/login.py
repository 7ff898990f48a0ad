"""Logging in with a token, and out."""

from math import ceil

from flask import Blueprint, Response, render_template, request

from app.domain.errors import RegistryUnavailable, TooManyAttempts, Unauthenticated
from app.service.access import Gate
from app.service.sessions import Sessions
from app.web import facts, problems, reading, session_cookie, visitors
from app.web.dashboard import flash, kept
from app.web.pages import page
from app.web.queries import SeedQuery


class LoginQuery(SeedQuery):
    """Of /login."""

    next: str = ""
    """Where to go then: a path of ours, or it is passed over"""


def blueprint(gate: Gate, sessions: Sessions) -> Blueprint:
    """Serve /login and /dashboard/logout."""
    pages = Blueprint("login", __name__, template_folder="templates")

    @pages.get("/login")
    @page(None)
    def ask() -> Response:
        cookie = session_cookie.read()
        if gate.open or sessions.identity(cookie) is not None:
            return visitors.seen_other(_next())
        answer = _asked(ended=cookie is not None)
        session_cookie.drop(answer)
        return flash.told(answer)

    @pages.post("/login")
    @page(None)
    def log_in() -> Response:
        if gate.open:
            return visitors.seen_other(_next())
        token = reading.form().get("token", "").strip()
        if not token:
            return _asked(400, refusal="Enter a token.")
        try:
            opened = sessions.log_in(token, request.remote_addr or "")
        except Unauthenticated as refused:
            return _refused(refused)
        sessions.log_out(session_cookie.read())  # whoever logs in anew wants the other session no more
        answer = visitors.seen_other(_next())
        session_cookie.put(answer, opened.cookie, opened.lasts)
        return answer

    @pages.post("/dashboard/logout")
    @page(None)
    def log_out() -> Response:
        try:
            sessions.log_out(session_cookie.read())
        except RegistryUnavailable as error:
            answer = _half_out(error)
        else:
            answer = visitors.seen_other(visitors.LOGIN)
            flash.put(answer, flash.Said("logged-out"))
        session_cookie.drop(answer)  # in any case: whoever sits here next must not go on with it
        return answer

    return pages


def _next() -> str:
    return visitors.own_path(reading.query(LoginQuery).next) or visitors.HOME


def _asked(status: int = 200, *, refusal: str = "", ended: bool = False) -> Response:
    html = render_template("login.html", next=_next(), refusal=refusal, ended=ended, said=flash.read())
    return kept.page(html, status)


def _half_out(error: RegistryUnavailable) -> Response:
    """Say that only the browser has forgotten the session."""
    facts.answered_with(error.code)
    return kept.page(render_template("logout.html", code=error.code), problems.status_of(type(error)) or 503)


def _refused(refused: Unauthenticated) -> Response:
    """Say why, on the page where it can be mended."""
    facts.answered_with(refused.code)
    answer = _asked(problems.status_of(type(refused)) or 401, refusal=refused.detail)
    answer.headers["WWW-Authenticate"] = problems.CHALLENGE
    if isinstance(refused, TooManyAttempts):
        answer.headers["Retry-After"] = str(ceil(refused.retry_after.total_seconds()))
    return answer
