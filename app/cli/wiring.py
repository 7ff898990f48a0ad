"""What the commands are given."""

import getpass
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from app.bootstrap import Inspection, OpenDesk
    from app.settings import Settings

Load = Callable[[], "Settings"]
"""Reads the settings, or raises SettingsInvalid."""
Inspect = Callable[["Settings"], "Inspection"]
"""Wires what looks at the world and changes nothing."""


class Desk(Protocol):
    """Opens the database to read or to change tokens."""

    def __call__(
        self, settings: "Settings", *, changes: bool, makes: bool = False
    ) -> AbstractContextManager["OpenDesk"]:
        """Raise RegistryUnusable where that is not possible, or where there is none and this `makes` none."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the command line's clock


def _pause(seconds: float) -> None:
    Event().wait(seconds)


def _interactive() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # in a container the user may have no name
        return str(os.getuid())


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time, and whether somebody is there, as the commands have it."""

    now: Callable[[], datetime] = _now
    pause: Callable[[float], None] = _pause
    """Returns after so many seconds."""
    interactive: Callable[[], bool] = _interactive
    """Whether a person can be asked."""
    user: Callable[[], str] = _user
    """Who works at this machine."""
