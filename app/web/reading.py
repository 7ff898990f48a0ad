"""Requests, read strictly: every fault is found, and told at once."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.api.base import Request
from app.api.names import IN_WORDS
from app.domain.errors import InvalidBody, InvalidInput, InvalidQuery
from app.web import current, cursors
from app.web.queries import Query

AQuery = TypeVar("AQuery", bound=Query)
ABody = TypeVar("ABody", bound=Request)

LARGEST_BODY = 64 * 1024
TOO_LONG = f"A body may have {LARGEST_BODY // 1024} KiB at most."
READ_AT_MOST = LARGEST_BODY + 1
"""For Flask, which cuts off what is longer and came in chunks, and says nothing of it."""
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 20
"""Of a form."""
MOST_DIGITS = 300
"""Of one number: Python turns no more than a few thousand into one, and a floating one has 308."""
SEND_JSON = "Send JSON, with the header 'Content-Type: application/json'."


def query(kind: type[AQuery]) -> AQuery:
    """Read the query string, or raise InvalidQuery, whose `faults` name each parameter that is off."""
    request = current.request()
    if not request.query_string:
        nothing: AQuery = _nothing_given(kind)
        return nothing
    given = request.args
    names = [name for name in given if name in kind.model_fields or not kind.ignores_others]
    faults = [(name, "Give it once") for name in names if len(given.getlist(name)) > 1]
    try:
        found = kind.model_validate({name: given[name] for name in names})
    except ValidationError as error:
        faults.extend(_faults(error, kind, "parameter"))
    if faults:
        raise InvalidQuery(faults=faults)
    return found


@cache  # they are frozen, and there are as many as kinds
def _nothing_given(kind: type[AQuery]) -> AQuery:
    return kind()


def body(kind: type[ABody], *, needed: bool = True, as_the_seed: bool = False) -> ABody:
    """Read the body, or raise InvalidBody, whose `faults` name each field that is off.

    One that is not `needed` may be empty: that is the same as `{}`. One that is not said to be JSON is a
    wrong media type, and in the seed's endpoints a wrong body.
    """
    text = _text()
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


def form() -> Mapping[str, str]:
    """Read what the form of a page sent, each field once; raise InvalidBody where it is anything else."""
    if request.mimetype != FORM:
        raise UnsupportedMediaType("Send the form of the page.")
    try:
        fields = parse_qsl(
            _text().decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:  # which UnicodeDecodeError is, too
        raise InvalidBody("The form could not be read. Go back and try again.") from None
    found = dict(fields)
    if len(found) != len(fields):
        raise InvalidBody("A field of the form came twice. Go back and try again.")
    return found


def _text() -> bytes:
    """Return the body, which must have come to its end: half of a request may not pass for an empty one."""
    try:
        text = request.get_data()
    except RequestEntityTooLarge:
        raise RequestEntityTooLarge(TOO_LONG) from None
    except Exception as error:  # whatever a server raises for what is cut off or malformed
        raise InvalidBody(
            "The body could not be read: it was cut off, or its chunks are malformed."
        ) from error
    if len(text) > LARGEST_BODY:
        raise RequestEntityTooLarge(TOO_LONG)
    if request.content_length not in {None, len(text)}:
        raise InvalidBody(f"The body was cut off: {len(text)} of {request.content_length} bytes came.")
    return text


def _parsed(text: bytes) -> Any:
    """Parse what RFC 8259 allows, without what readers differ in: repeated names, NaN, endless numbers."""
    if not text:
        raise InvalidBody("A JSON object is needed, and the body is empty.")
    try:
        return json.loads(
            text.decode(), object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_whole_number
        )
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


def _whole_number(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise InvalidBody(f"A number in the body has more than {MOST_DIGITS} digits.")
    return int(text)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _faults(error: ValidationError, kind: type[BaseModel], word: str) -> Sequence[tuple[str, str]]:
    found = error.errors(include_url=False, include_input=False)
    few = len(found) <= InvalidInput.most_faults  # looking for what was meant takes its time
    fields = [field.alias or name for name, field in kind.model_fields.items()] if few else []
    return [(".".join(map(str, details["loc"])), _said(details, fields, word)) for details in found]


_IN_WORDS = {**IN_WORDS, cursors.LOOKS: cursors.NOT_OURS}
_NEEDED = {
    "model_type": "A JSON object is needed",
    "int_type": "A whole number is needed",
    "int_from_float": "A whole number is needed",
    "float_type": "A number is needed",
    "bool_type": "true or false is needed",
    "string_type": "A text is needed",
    "string_unicode": "It has half of a character: a surrogate without the other",
}


def _said(details: ErrorDetails, fields: Sequence[str], word: str) -> str:
    """Say in our words what pydantic has found."""
    bounds = details.get("ctx", {})
    match details["type"]:
        case "missing":
            said = f"This {word} is needed"
        case "extra_forbidden":
            name = str(details["loc"][-1])
            close = [] if len(name) > InvalidInput.longest_name else get_close_matches(name, fields, n=1)
            said = f"There is no such {word}" + (f"; did you mean {close[0]}?" if close else "")
        case "greater_than_equal":
            said = f"It must be {bounds['ge']:.0f} or more"
        case "less_than_equal":
            said = f"It must be {bounds['le']:.0f} or less"
        case "string_too_long":
            said = f"{bounds['max_length']} characters at most"
        case "string_pattern_mismatch":
            said = _IN_WORDS[bounds["pattern"]]
        case "enum":
            said = f"It is one of {bounds['expected']}"
        case known:
            said = _NEEDED.get(known, details["msg"])
    return said
