"""What an operation takes and gives, said once beside its view: it is read by that, and documented by it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from flask import Response
from pydantic import BaseModel

from app.api.base import Request
from app.domain.access import Role
from app.domain.errors import OrchestratorError
from app.web import reading
from app.web.queries import NoQuery, Query

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One way in which an operation succeeds."""

    what: str
    model: type[BaseModel] | None = None
    """None: the body is described by `media` alone."""
    example: BaseModel | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those worth knowing, with their meaning."""
    media: str = JSON
    """Empty: there is no body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    id: str
    tag: str
    summary: str
    description: str
    role: Role | None
    """What the caller's token must have at least; None: no token is needed."""
    replies: Mapping[int, Reply]
    errors: tuple[type[OrchestratorError], ...] = ()
    """Those of its own: what every operation can meet is not repeated."""
    query: type[Query] = NoQuery
    body: type[Request] | None = None
    body_needed: bool = True
    as_the_seed: bool = False
    """A body that is not said to be JSON is 400, and not 415."""
    body_example: BaseModel | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the request, with their meaning; none is needed."""
    problems: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    """Problems that no class of errors stands for: code and title, by status."""


View = Callable[..., Response]

_KEPT = "ec2_orchestrator_operation"


def operation(identity: str, tag: str, role: Role | None, **told: Any) -> Callable[[View], View]:
    """Make a view an operation: its query and its body are read before it is called, as `query` and `body`.

    The first line of its docstring is the summary, the others are the description, in Markdown.
    """

    def make(view: View) -> View:
        summary, _, description = (view.__doc__ or "").strip().partition("\n")
        made = Operation(
            id=identity,
            tag=tag,
            role=role,
            summary=summary.rstrip("."),
            description="\n".join(line.strip() for line in description.strip().splitlines()),
            **told,
        )

        takes_query = bool(made.query.model_fields)

        @wraps(view)
        def reads_first(**path: str) -> Response:
            given: dict[str, Any] = dict(path)
            query = reading.query(made.query)
            if takes_query:
                given["query"] = query
            if made.body is not None:
                given["body"] = reading.body(made.body, needed=made.body_needed, as_the_seed=made.as_the_seed)
            return view(**given)

        setattr(reads_first, _KEPT, made)
        return reads_first

    return make


def operation_of(view: Any) -> Operation | None:
    """Return what was said of a view; None where nothing was: it is no part of the interface."""
    return getattr(view, _KEPT, None)
