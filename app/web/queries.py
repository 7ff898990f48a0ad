"""The query strings that are understood."""

import re
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.api.names import INSTANCE, POOL, PROJECT
from app.api.v1 import MOST_WAIT
from app.domain.model import InstanceId, InstanceState, PoolName, ProjectId
from app.ports import Delivery
from app.web import cursors

MOST_ITEMS = 500
"""The longest part of a list that can be asked for."""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def _number(text: Any) -> Any:
    """Take what JSON calls a number, and nothing else that Python would."""
    if not _NUMBER.fullmatch(text):
        raise PydanticCustomError("number", "This is not a number")
    return float(text)


def whole(text: Any) -> Any:
    """Take what JSON calls a number, if it is a whole one."""
    if not _NUMBER.fullmatch(text) or not float(text).is_integer():
        raise PydanticCustomError("whole_number", "This is not a whole number")
    return int(float(text))


class Query(BaseModel):
    """The parameters of one operation; others are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    ignores_others: ClassVar[bool] = False
    """Whether parameters that nobody knows are passed over."""


class NoQuery(Query):
    """No parameters."""


class SeedQuery(Query):
    """Whatever a link or a browser may add is passed over."""

    ignores_others = True


class WaitQuery(SeedQuery):
    """Of GET /<projectId>."""

    wait: Annotated[float, Field(ge=0, le=MOST_WAIT), BeforeValidator(_number)] = 0
    """Seconds to wait for an instance where none is idle"""


class PageQuery(Query):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=MOST_ITEMS), BeforeValidator(whole)] = 100
    """How many items the answer may have"""
    cursor: Annotated[str, Field(max_length=400, pattern=cursors.LOOKS)] | None = None
    """Where to go on: `next` of the answer before; without it, the list begins"""


Pool = Annotated[PoolName, Field(pattern=POOL)] | None


class AllocationsQuery(PageQuery):
    """Of GET /v1/allocations."""

    pool: Pool = None
    """Only those of this pool"""


class InstancesQuery(PageQuery):
    """Of GET /v1/instances."""

    pool: Pool = None
    """Only those of this pool"""
    state: InstanceState | None = None
    """Only those in this state; without it, all but the terminated"""


class EventsQuery(PageQuery):
    """Of GET /v1/events."""

    pool: Pool = None
    """Only those of this pool"""
    project: Annotated[ProjectId, Field(pattern=PROJECT)] | None = None
    """Only those about this project"""
    instance: Annotated[InstanceId, Field(pattern=INSTANCE)] | None = None
    """Only those about this instance"""


class WebhooksQuery(PageQuery):
    """Of GET /v1/webhooks."""

    state: Delivery | None = None
    """Only those of which this became; without it, all"""
