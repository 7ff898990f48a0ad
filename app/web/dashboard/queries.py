"""What can be asked of the dashboard, and the links that ask for it."""

from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import BeforeValidator, Field

from app.api.names import POOL
from app.domain.model import InstanceState, PoolName
from app.web.queries import SeedQuery, whole

HOME = "/dashboard"
LONGEST_TEXT = 100
LAST_PAGE = 100_000


class Choice(StrEnum):
    """Which instances are listed."""

    IDLE = "idle"
    ALLOCATED = "allocated"
    BOOTING = "booting"
    TERMINATING = "terminating"
    HELD = "held"
    TERMINATED = "terminated"

    @property
    def state(self) -> InstanceState | None:
        """The state they are in; None: any but terminated."""
        return None if self is Choice.HELD else InstanceState(self.value)

    @property
    def held(self) -> bool | None:
        """Whether they are on hold; None: either. What boots or is idle is counted as held where it is."""
        if self is Choice.HELD:
            return True
        return False if self in {Choice.IDLE, Choice.BOOTING} else None


def _none_if_empty(text: Any) -> Any:
    """Take a field of a form that was left as it is for one that was not sent."""
    return text or None


def _stripped(text: Any) -> Any:
    return text.strip()


_EMPTY = BeforeValidator(_none_if_empty)
_WHOLE = BeforeValidator(whole)

Hours = Literal[1, 6, 24]
PageNumber = Annotated[int, Field(ge=1, le=LAST_PAGE), _WHOLE]


class OverviewQuery(SeedQuery):
    """Of GET /dashboard, and of the parts that it asks for: they have links that keep all of it."""

    pool: Annotated[Annotated[PoolName, Field(pattern=POOL)] | None, _EMPTY] = None
    """The pool that is shown; without it `default`"""
    hours: Annotated[Hours, _WHOLE] = 1
    """How far back the chart goes"""
    state: Annotated[Choice | None, _EMPTY] = None
    """Only these instances"""
    q: Annotated[str, Field(max_length=LONGEST_TEXT), BeforeValidator(_stripped)] = ""
    """Words that each instance, and each allocation, must have"""
    everywhere: Annotated[Literal["on"] | None, _EMPTY] = None
    """Instances and allocations of all pools"""
    page: PageNumber = 1
    """Which part of the instances"""
    allocations_page: PageNumber = 1
    """Which part of the allocations"""

    def link(self, **changes: object) -> str:
        """Return the address of the page with these `changes`; what is as it is by itself is left out."""
        asked = {
            name: str(value)
            for name, field in type(self).model_fields.items()
            if (value := changes.get(name, getattr(self, name))) != field.default
        }
        return HOME + ("?" + urlencode(asked) if asked else "")
