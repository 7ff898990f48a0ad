"""What all models of the wire have in common."""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

Item = TypeVar("Item")


def iso(value: datetime) -> str:
    """Write a time in UTC as Time has it."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""ISO 8601, UTC, to the millisecond: `2026-11-22T20:15:00.000Z`."""


def _brief(value: float) -> int | float:
    """Write 60 and not 60.0."""
    return int(value) if value.is_integer() else value


Seconds = Annotated[
    float,
    PlainSerializer(_brief, return_type=int | float, when_used="json"),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
"""A length of time."""


def no_default(schema: dict[str, Any]) -> None:
    """Say nothing of a default in the document: Field(..., json_schema_extra=no_default).

    Of a Request, where a field that is left out changes nothing; of an Answer, where the default is for
    clients alone, because older services do not send the field.
    """
    schema.pop("default", None)


def _whole(value: object) -> object:
    """Take 60.0 for 60: JSON knows one kind of number, and some languages write them all like this."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""Stands behind the bounds of a whole number in a Request."""


class Answer(BaseModel):
    """What the service sends. Later versions may send more: a client reads past what it does not know."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )


class Request(BaseModel):
    """What the service is sent: unknown fields are errors, and types are not converted."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
    )


class Page(Answer, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    """In the order of the list"""
    next: str | None = Field(description="Ask again with `cursor` set to this; null: this is the last part")


class Fault(Answer):
    """One thing that is wrong with a request."""

    where: str
    """The field or the parameter; empty: the whole"""
    detail: str
    """What is wrong with it"""


class Problem(Answer):
    """What went wrong (RFC 9457, `application/problem+json`)."""

    model_config = ConfigDict(extra="allow", json_schema_serialization_defaults_required=False)

    type: str
    """A URN made from `code`"""
    title: str
    """What kind of error it is, for a person"""
    status: int
    """The HTTP status again"""
    detail: str
    """What happened this time, for a person"""
    code: str
    """A slug that never changes, and what programs should go by: see the
    [list of errors](/docs#list-of-errors)"""
    errors: list[Fault] = []
    """With `invalid-body` and `invalid-query`: the faults, each with its place; of more than 20 the
    first, and then how many others there are"""
    estimated_wait_seconds: int | None = Field(None, json_schema_extra=no_default)
    """With `pool-exhausted`: how long it will take until there is an instance for who asks now, by how long
    the last launches took; null: nobody knows"""
