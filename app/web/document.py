"""The OpenAPI document, made from the operations beside the views and the models of `app.api`."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from apispec import APISpec
from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from app.api.base import Problem
from app.api.names import INSTANCE, MESSAGE, POOL, PROJECT
from app.domain.errors import (
    Forbidden,
    InvalidBody,
    InvalidQuery,
    PoolExhausted,
    RegistryUnavailable,
    TooManyAttempts,
    Unauthenticated,
)
from app.domain.model import RESERVED_NAMES
from app.web import announced, request_id
from app.web.operations import JSON, Operation, Reply, operation_of
from app.web.problems import ESTIMATE, body_of, status_of

PROBLEM = "application/problem+json"
GUIDE = Path(__file__).parent / "docs" / "guide.md"
TAGS = {
    "Allocations": "A project holds an instance.",
    "Instances": "The EC2 instances behind the allocations.",
    "Pools": "Auto Scaling groups, and what is wanted of them.",
    "Events": "The audit trail.",
    "Webhooks": "What is told to others as it happens, and whether they took it.",
    "In short": "Three endpoints for scripts and people, as the first version of this service had them. "
    "They call an instance a machine.",
    "Health": "For load balancers and monitoring. No token is needed.",
    "Documentation": "This page and its source. No token is needed.",
}

_PATHS: Mapping[str, dict[str, Any]] = {
    "project": {
        "description": "The project's id",
        "schema": {"type": "string", "pattern": PROJECT, "not": {"enum": sorted(RESERVED_NAMES)}},
        "example": "my-project",
    },
    "instance": {
        "description": "The EC2 instance id",
        "schema": {"type": "string", "pattern": INSTANCE},
        "example": "i-0123456789abcdef0",
    },
    "message": {
        "description": "The message's id",
        "schema": {"type": "string", "pattern": MESSAGE},
        "example": "msg_0f5c2a6e9d3b4c1f8a7e6d5c4b3a2f10",
    },
    "name": {
        "description": "The pool's name",
        "schema": {"type": "string", "pattern": POOL},
        "example": "default",
    },
}
_SHARED: Mapping[tuple[int, str], str] = {
    **{
        (status_of(kind) or 500, kind.code): kind.title()
        for kind in (InvalidQuery, Unauthenticated, Forbidden, TooManyAttempts, RegistryUnavailable)
    },
    (413, "request-entity-too-large"): "Request Entity Too Large",
    (415, "unsupported-media-type"): "Unsupported Media Type",
    (500, "internal-error"): "Internal error",
}
"""What most operations can be answered: the title, by status and code."""
_RETRY_AFTER = {
    "description": "Seconds after which to ask again",
    "schema": {"type": "integer", "minimum": 0},
}


_ON_EVERY_ANSWER = {request_id.HEADER: {"$ref": f"#/components/headers/{request_id.HEADER}"}}


def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of all operations of the app."""
    found = sorted(_operations(app), key=lambda one: list(TAGS).index(one[2].tag))
    spec = APISpec(
        title="EC2 Orchestrator",
        version="1",
        openapi_version="3.1.0",
        info={"description": GUIDE.read_text()},
        servers=[{"url": "/"}],
        tags=[{"name": name, "description": told} for name, told in TAGS.items()],
    )
    spec.components.security_scheme(
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "description": "A token that `ec2-orchestrator token create` has shown. The roles in an "
            "operation's `security` name the one that is needed: it, or a higher one.",
        },
    )
    for name, schema in _schemas([one for _, _, one in found]).items():
        spec.components.schema(name, schema)
    spec.components.header(
        request_id.HEADER, {"description": request_id.WHAT, "schema": {"type": "string"}, "required": True}
    )
    for (status, code), title in _SHARED.items():
        spec.components.response(code, _problem(status, {code: title}))
    for path, method, one in found:
        spec.path(path, operations={method: _told(path, one)})
    made: dict[str, Any] = spec.to_dict()
    made["webhooks"] = announced.webhooks()
    return made


def _operations(app: Flask) -> Iterator[tuple[str, str, Operation]]:
    for rule in app.url_map.iter_rules():
        one = operation_of(app.view_functions[rule.endpoint])
        if one is not None:
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield path_of(rule), method.lower(), one


def path_of(rule: Rule) -> str:
    """Write the path of a route, with the names of its parameters: `/v1/pools/{name}`."""
    return _written_path(rule.rule)


@cache  # every answer is counted by it
def _written_path(pattern: str) -> str:
    # The seed's endpoint has a name because it answers for every first word; what it takes is a project.
    path = "/<project>" if "<first_word:" in pattern else pattern
    return path.replace("<", "{").replace(">", "}")


def _told(path: str, one: Operation) -> dict[str, Any]:
    needs = "No token is needed." if one.role is None else f"Needs the role `{one.role.value}`."
    told: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.tag],
        "summary": one.summary,
        "description": "\n\n".join(part for part in (one.description, needs) if part),
        "security": [] if one.role is None else [{"token": [one.role.value]}],
        "parameters": [*_path_parameters(path), *_query_parameters(one), *_header_parameters(one)],
    }
    if one.body is not None:
        media: dict[str, Any] = {"schema": _reference(one.body)}
        if one.body_example is not None:
            media["example"] = _as_written(one.body_example)
        told["requestBody"] = {"required": one.body_needed, "content": {JSON: media}}
    told["responses"] = {
        **{str(status): _reply(reply) for status, reply in one.replies.items()},
        **{str(status): _shared(status, codes) for status, codes in sorted(_problems(one).items())},
    }
    return told


def _as_written(body: BaseModel) -> dict[str, Any]:
    """Return what one would send: 30 and not 30.0, and nothing of what was not given."""
    sent = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in sent.items()
    }


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name, told in _PATHS.items():
        if f"{{{name}}}" in path:
            # What is no project here is another page, with a path of its own.
            others = {"schema": {"type": "string", "pattern": PROJECT}} if path == "/{project}" else {}
            yield {"name": name, "in": "path", "required": True, **told, **others}


def _query_parameters(one: Operation) -> Iterator[dict[str, Any]]:
    whole = one.query.model_json_schema(ref_template=_TEMPLATE)
    named = whole.get("$defs", {})
    for name, field in whole.get("properties", {}).items():
        described = field.pop("description")
        # Nobody can send null in a query.
        (schema,) = (kind for kind in field.get("anyOf", [field]) if kind != {"type": "null"})
        schema = named[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        known = {key: value for key, value in schema.items() if key not in {"title", "description"}}
        yield {"name": name, "in": "query", "description": described, "schema": known}


def _header_parameters(one: Operation) -> Iterator[dict[str, Any]]:
    for name, described in one.headers.items():
        yield {"name": name, "in": "header", "description": described, "schema": {"type": "string"}}


def _reply(reply: Reply) -> dict[str, Any]:
    told: dict[str, Any] = {"description": reply.what}
    if reply.media:
        plain = {"type": "object" if reply.media == JSON else "string"}
        media: dict[str, Any] = {"schema": plain if reply.model is None else _reference(reply.model)}
        if reply.example is not None:
            media["example"] = reply.example.model_dump(mode="json", by_alias=True)
        told["content"] = {reply.media: media}
    told["headers"] = {
        name: {"description": described, "schema": {"type": "string"}, "required": True}
        for name, described in reply.headers.items()
    }
    told["headers"] |= _ON_EVERY_ANSWER
    return told


def _problems(one: Operation) -> dict[int, dict[str, str]]:
    """Return everything that can go wrong: code and title, by status."""
    kinds = list(one.errors)
    if one.query.model_fields or not one.query.ignores_others:
        kinds.append(InvalidQuery)
    if one.body is not None:
        kinds.append(InvalidBody)
    if one.role is not None:
        kinds += [Unauthenticated, TooManyAttempts, Forbidden, RegistryUnavailable]
    found: dict[int, dict[str, str]] = {status: dict(codes) for status, codes in one.problems.items()}
    for kind in kinds:
        found.setdefault(status_of(kind) or 500, {})[kind.code] = kind.title()
    if one.body is not None:
        _add(found, 413, "request-entity-too-large")
        if not one.as_the_seed:
            _add(found, 415, "unsupported-media-type")
    _add(found, 500, "internal-error")
    return found


def _add(found: dict[int, dict[str, str]], status: int, code: str) -> None:
    found.setdefault(status, {})[code] = _SHARED[status, code]


def _shared(status: int, codes: Mapping[str, str]) -> dict[str, Any]:
    """Refer to what many operations have, and write out what few have."""
    (code, *others) = codes
    if not others and (status, code) in _SHARED:
        return {"$ref": f"#/components/responses/{code}"}
    return _problem(status, codes)


def _problem(status: int, codes: Mapping[str, str]) -> dict[str, Any]:
    listed = "; ".join(f"`{code}`: {title[0].lower()}{title[1:]}" for code, title in codes.items())
    told: dict[str, Any] = {
        "description": listed,
        "content": {
            PROBLEM: {
                "schema": _reference(Problem),
                "examples": {
                    code: {"value": body_of(status, code=code, title=title, detail=title) | _more_of(code)}
                    for code, title in codes.items()
                },
            }
        },
    }
    waits = {PoolExhausted.code, RegistryUnavailable.code, TooManyAttempts.code} & codes.keys()
    told["headers"] = {**({"Retry-After": _RETRY_AFTER} if waits else {}), **_ON_EVERY_ANSWER}
    return told


def _more_of(code: str) -> dict[str, object]:
    """Return what an example of this problem has beside the members that every problem has."""
    return {ESTIMATE: 40} if code == PoolExhausted.code else {}


_TEMPLATE = "#/components/schemas/{model}"


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _TEMPLATE.format(model=model.__name__)}


def _schemas(operations: list[Operation]) -> dict[str, Any]:
    """Return the schema of each model by its name: bodies as they are read, answers as they are written."""
    bodies = {one.body for one in operations if one.body is not None}
    answers = {reply.model for one in operations for reply in one.replies.values() if reply.model is not None}
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in bodies]
    models += [(model, "serialization") for model in answers]
    models += [(model, "serialization") for model in announced.messages()]
    models.append((Problem, "serialization"))
    _, whole = models_json_schema(models, ref_template=_TEMPLATE)
    schemas: dict[str, Any] = whole["$defs"]
    return {name: _untitled(schemas[name]) for name in sorted(schemas)}


def _untitled(schema: Any) -> Any:
    """Leave out the titles, which repeat the fields' names."""
    if isinstance(schema, list):
        return [_untitled(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _untitled(part) for name, part in value.items()}
        if key == "properties"
        else _untitled(value)
        for key, value in schema.items()
        if key != "title"
    }
