"""One request to a service and its answer, and whether it is worth repeating where there is none.

ClientError
├── Refused        the service said no, and why: `code` is what a program should go by
├── Unreachable    no answer, or none in time
└── Unexpected     an answer, but not one of this service
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Event
from time import monotonic
from typing import Generic, Literal, TypeVar
from urllib.parse import urlsplit

import urllib3
from pydantic import BaseModel, ValidationError
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse

from app.api.base import Problem, Request

Told = TypeVar("Told", bound=BaseModel)

EXHAUSTED = "pool-exhausted"
"""The code of a Refused that says: no instance is idle."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_RETRY = urllib3.Retry()
_REQUEST_ID = "X-Request-ID"
_FIT = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


class ClientError(Exception):
    """A request did not get what it asked for."""

    request_id: str | None = None
    """By which the service's log tells of the request; None where no answer came and none was sent."""


class Refused(ClientError):
    """The service said no."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.status, self.code, self.detail = problem.status, problem.code, problem.detail
        self.retry_after = retry_after
        """Seconds after which it may be different; None: it does not say."""
        self.estimated_wait = problem.estimated_wait_seconds
        """Of a pool that is exhausted: seconds until there will be an instance; None: nobody knows."""


class Unreachable(ClientError):
    """No answer came."""

    def __init__(self, url: str, reason: str, *, in_doubt: bool = False) -> None:
        doubt = "; whether it has done what was asked is not known" if in_doubt else ""
        super().__init__(f"{url} does not answer: {reason}{doubt}")
        self.url, self.reason = url, reason
        self.in_doubt = in_doubt
        """Whether it may have done what was asked all the same."""


class Unexpected(ClientError):
    """What answered is not this service, or not a version that this client knows."""

    def __init__(self, url: str, status: int, what: str) -> None:
        super().__init__(f"{url} is not an EC2 Orchestrator that this client knows: it answered {what}")
        self.url, self.status = url, status


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Generic[Told]):
    """What to ask a service, and what it is to answer."""

    method: Literal["GET", "PUT", "POST", "PATCH", "DELETE"]
    path: str
    answer: type[Told]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Request | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    longer: float = 0.0
    """Seconds that the service may take before it answers, beside the usual ones."""
    repeatable: bool = True
    """Whether doing it twice is the same as doing it once."""


class Exchange:
    """Asks one service, from any number of threads."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        timeout: float,
        request_id: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Raise ValueError where the URL or the token cannot be one; neither is repeated then.

        `request_id` is asked before each request for the id that it is to have; None leaves that to the
        service.
        """
        self.url = _checked(url)
        self._request_id = request_id
        self._timeout = timeout
        self._headers = {"Accept": "application/json", "User-Agent": "ec2-orchestrator-client"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {_sendable(token)}"
        self._connections = urllib3.PoolManager(maxsize=8)
        self._closed = Event()

    def close(self) -> None:
        """Let go of the connections. Who pauses gives up."""
        self._closed.set()
        self._connections.clear()

    def pause(self, seconds: float, error: ClientError) -> None:
        """Return after a while, or raise the error once this is closed."""
        if self._closed.wait(seconds):
            raise error

    def ask(self, question: Ask[Told], *, patience: float) -> Told:
        """Return the answer, asking again for `patience` seconds where that is of use, and harms nobody."""
        if self._closed.is_set():
            raise RuntimeError("this client is closed")
        until, backoff = monotonic() + patience, _FIRST_PAUSE
        while True:
            try:
                return self._once(question)
            except ClientError as error:
                pause = (error.retry_after if isinstance(error, Refused) else None) or backoff
                if not _passes(error, question) or monotonic() + pause > until:
                    raise
                self.pause(pause, error)
            backoff = min(2 * backoff, _LONGEST_PAUSE)

    def _once(self, question: Ask[Told]) -> Told:
        sent = _fit(self._request_id())
        answer = None
        try:
            answer = self._send(question, {} if sent is None else {_REQUEST_ID: sent})
            return self._read(answer, question.answer)
        except ClientError as error:
            error.request_id = sent if answer is None else answer.headers.get(_REQUEST_ID)
            raise

    def _send(self, question: Ask[Told], more: Mapping[str, str]) -> BaseHTTPResponse:
        body = question.body
        try:
            return self._connections.request(
                question.method,
                self.url + question.path,
                fields=question.query or None,
                json=body and body.model_dump(mode="json", by_alias=True, exclude_unset=True),
                headers={**self._headers, **question.headers, **more},
                timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout + question.longer),
                retries=False,
                redirect=False,
            )
        except HTTPError as error:
            arrived = not isinstance(error, NewConnectionError | ConnectTimeoutError | SSLError)
            in_doubt = arrived and question.method != "GET"
            raise Unreachable(self.url, _reason(error), in_doubt=in_doubt) from error

    def _read(self, answer: BaseHTTPResponse, kind: type[Told]) -> Told:
        status, form = answer.status, answer.headers.get("Content-Type", "nothing").partition(";")[0]
        try:
            if status < HTTPStatus.MULTIPLE_CHOICES:
                told = kind.model_validate_json(answer.data)
                tag = answer.headers.get("ETag")
                return told.model_copy(update={"etag": tag}) if "etag" in kind.model_fields else told
            if form == "application/problem+json":
                raise Refused(Problem.model_validate_json(answer.data), _retry_after(answer))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, fault["loc"])) or "the whole"
            raise Unexpected(self.url, status, f"{form}, of which {where} is not as it should be") from error
        target = answer.get_redirect_location()
        what = f"with a redirect to {target}" if target else f"{status} with {form}"
        raise Unexpected(self.url, status, what)


def _passes(error: ClientError, question: Ask[Told]) -> bool:
    """Whether the same question may be answered in a moment, and may be asked again."""
    match error:
        case Unreachable():
            lasting = isinstance(error.__cause__, SSLError)
            return not lasting and (question.repeatable or not error.in_doubt)
        case Refused() if error.code == EXHAUSTED:
            return False  # how long that is waited for is Client.allocate's business
        case Refused() | Unexpected():
            gateway = error.status in {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}
            # A gateway may say so after it has passed the request on.
            return error.status == HTTPStatus.SERVICE_UNAVAILABLE or (gateway and question.repeatable)
        case _:
            return False


def _retry_after(answer: BaseHTTPResponse) -> float | None:
    try:
        return _RETRY.get_retry_after(answer)
    except InvalidHeader:
        return None


def _reason(error: HTTPError) -> str:
    """Say in a few words why no answer came."""
    match error:
        case NameResolutionError():
            return "the name of the host is not known"
        case NewConnectionError():
            cause = error.__cause__
            told = cause.strerror if isinstance(cause, OSError) else None
            return (told or "no connection").lower()
        case ConnectTimeoutError():
            return "no connection in time"
        case ReadTimeoutError():
            return "nothing came in time"
        case SSLError():
            return f"TLS failed ({error.args[0] if error.args else 'no reason given'})"
        case _:
            return "the connection broke"


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(sign.isspace() for sign in url):
        raise ValueError("the URL of the service looks like http://localhost:9092")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("the URL of the service has no user, no password, no '?' and no '#'")
    return url.rstrip("/")


def _fit(request_id: str | None) -> str | None:
    if request_id is not None and not _FIT.fullmatch(request_id):
        raise ValueError("a request id is 1 to 128 letters, digits, '.', '_', ':' and '-'")
    return request_id


def _sendable(token: str) -> str:
    token = token.strip()
    if not token or any(not "!" <= sign <= "~" for sign in token):
        raise ValueError("a token is made of letters, digits and signs, without spaces")
    return token
