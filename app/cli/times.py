"""Times, as people write and read them."""

import re
from datetime import datetime, timedelta
from typing import Any

import click

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.ASCII)
_TWO_UNITS_BELOW = 10
"""From so many hours, days ... on the smaller unit no longer matters."""


class Duration(click.ParamType[Any]):
    """A time such as `90`, `90s`, `45m`, `2h`, `1h30m` or `7d`, in seconds.

    Where it may be `none`, that is None; where it may be nothing, that is 0.
    """

    name = "TIME"

    def __init__(self, *, or_none: bool = False, or_zero: bool = False) -> None:
        self._or_none, self._or_zero = or_none, or_zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click.ParamType."""
        if not isinstance(value, str):
            return value
        if self._or_none and value == "none":
            return None
        found = _WRITTEN.fullmatch(value)
        if not value or not found:
            also = ", or 'none'" if self._or_none else ""
            self.fail(f"{value!r} is not a time: write 90s, 45m, 2h, 1h30m or 7d{also}.", param, ctx)
        seconds = sum(
            int(count or 0) * unit for count, unit in zip(found.groups(), _UNITS.values(), strict=True)
        )
        if not seconds and not self._or_zero:
            self.fail("it must be a second or more.", param, ctx)
        return seconds


def long(time: timedelta) -> str:
    """Write how long something took or takes, in at most two units: `8s`, `4m10s`, `3h`, `12d`."""
    left = max(0, int(time.total_seconds()))
    parts: list[str] = []
    for unit, seconds in _UNITS.items():
        count, left = divmod(left, seconds)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
        if parts and (len(parts) > 1 or count >= _TWO_UNITS_BELOW):
            break
    return "".join(parts) or "0s"


def ago(moment: datetime, now: datetime) -> str:
    """Write how long ago it was, or how soon it is."""
    return f"{long(now - moment)} ago" if moment <= now else f"in {long(moment - now)}"


def stamp(moment: datetime) -> str:
    """Write a moment for a file or a program: `2026-11-22T20:15:00Z`."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
