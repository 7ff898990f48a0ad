"""Requests, read strictly: every fault is found, and told at once."""

import json
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.api.base import Request
from app.domain.errors import InvalidBody, InvalidQuery
from app.web.queries import Query

AQuery = TypeVar("AQuery", bound=Query)
ABody = TypeVar("ABody", bound=Request)

LARGEST_BODY = 64 * 1024
READ_AT_MOST = LARGEST_BODY + 1
"""For Flask, which cuts off what is longer and came in chunks, and says nothing of it."""
SEND_JSON = "Send JSON, with the header 'Content-Type: application/json'."


def query(kind: type[AQuery]) -> AQuery:
    """Read the query string, or raise InvalidQuery, whose `faults` name each parameter that is off."""
    given = request.args
    if not given:
        return kind()
    names = [name for name in given if name in kind.model_fields or not kind.ignores_others]
    faults = [(name, "Give it once") for name in names if len(given.getlist(name)) > 1]
    try:
        found = kind.model_validate({name: given[name] for name in names})
    except ValidationError as error:
        faults.extend(_faults(error, kind, "parameter"))
    if faults:
        raise InvalidQuery(faults=faults)
    return found


def body(kind: type[ABody], *, needed: bool = True, as_the_seed: bool = False) -> ABody:
    """Read the body, or raise InvalidBody, whose `faults` name each field that is off.

    One that is not `needed` may be empty: that is the same as `{}`. One that is not said to be JSON is a
    wrong media type, and in the seed's endpoints a wrong body.
    """
    text = request.get_data()
    if len(text) > LARGEST_BODY:
        raise RequestEntityTooLarge
    if not text and not needed:
        return kind.model_validate({})
    if as_the_seed and not request.is_json:
        raise InvalidBody(SEND_JSON)
    if text and not as_the_seed and request.mimetype != "application/json":
        raise UnsupportedMediaType(SEND_JSON)
    try:
        return kind.model_validate(_parsed(text))
    except ValidationError as error:
        raise InvalidBody(faults=_faults(error, kind, "field")) from None


def _parsed(text: bytes) -> Any:
    """Parse what RFC 8259 allows, without what readers differ in: repeated names, NaN, endless numbers."""
    if not text:
        raise InvalidBody("A JSON object is needed, and the body is empty.")
    try:
        return json.loads(text.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise InvalidBody("The body is not UTF-8.") from None
    except RecursionError:
        raise InvalidBody("The JSON is nested too deeply.") from None
    except ValueError as error:
        raise InvalidBody(f"The body is not JSON: {error}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise InvalidBody(faults=[(name, "It stands there more than once") for name in twice])
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _faults(error: ValidationError, kind: type[BaseModel], word: str) -> Sequence[tuple[str, str]]:
    fields = [field.alias or name for name, field in kind.model_fields.items()]
    return [
        (".".join(str(part) for part in details["loc"]), _said(details, fields, word))
        for details in error.errors(include_url=False, include_context=False)
    ]


def _said(details: ErrorDetails, fields: Sequence[str], word: str) -> str:
    match details["type"]:
        case "missing":
            return f"This {word} is needed"
        case "extra_forbidden":
            close = get_close_matches(str(details["loc"][-1]), fields, n=1)
            return f"There is no such {word}" + (f"; did you mean {close[0]}?" if close else "")
        case "model_type":
            return "A JSON object is needed"
        case _:
            return details["msg"]
