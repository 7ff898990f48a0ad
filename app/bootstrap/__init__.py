"""From settings to a working service: the only package that names concrete classes."""

from app.bootstrap.guarding import OpenDesk, refuse_unguarded, token_desk
from app.bootstrap.inspection import Inspection, inspect
from app.bootstrap.memory import give_back_memory
from app.bootstrap.services import Services, build

__all__ = [
    "Inspection",
    "OpenDesk",
    "Services",
    "build",
    "give_back_memory",
    "inspect",
    "refuse_unguarded",
    "token_desk",
]
