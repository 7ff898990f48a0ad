"""Pages for people: no operations, and so no part of the OpenAPI document. Each names the role it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from app.domain.access import Role

View = TypeVar("View", bound=Callable[..., Any])

_KEPT = "ec2_orchestrator_page"


@dataclass(frozen=True, slots=True)
class _Page:
    role: Role | None


def page(role: Role | None) -> Callable[[View], View]:
    """Make a view a page: who is let in by a token, or has logged in, and has the role; None: everybody."""

    def make(view: View) -> View:
        setattr(view, _KEPT, _Page(role))
        return view

    return make


def is_page(view: Any) -> bool:
    """Say whether a view is a page."""
    return hasattr(view, _KEPT)


def page_role(view: Any) -> Role | None:
    """Return the role that a page needs; None where everybody may see it, or where it is no page."""
    found: _Page | None = getattr(view, _KEPT, None)
    return None if found is None else found.role
