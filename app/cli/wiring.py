"""What the commands are given."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.settings import Settings

if TYPE_CHECKING:
    from app.bootstrap import Inspection

Load = Callable[[], Settings]
"""Reads the settings, or raises SettingsInvalid."""
Inspect = Callable[[Settings], "Inspection"]
"""Wires what looks at the world and changes nothing."""
