"""From settings to a working service: the only package that names concrete classes."""

from app.bootstrap.guarding import OpenDesk, refuse_unguarded, token_desk
from app.bootstrap.inspection import Inspection, inspect
from app.bootstrap.services import Services, build

__all__ = ["Inspection", "OpenDesk", "Services", "build", "inspect", "refuse_unguarded", "token_desk"]
