"""The arithmetic of desired capacity, in words."""

from app.domain.model import Group, Limit
from app.domain.sizing import Sizing
from app.domain.verdict import CAUSES


def in_words(sizing: Sizing, group: Group, buffer: int) -> str:
    """Tell where desired capacity goes, by which sum, and what keeps it."""
    total = f"{sizing.allocated} allocated + {sizing.waiting} waiting + {buffer} buffer = {sizing.wanted}"
    desired = "desired" if group.desired is not None else "desired (unknown: members are counted)"
    why = "" if sizing.limited_by is None else _limit(sizing.limited_by, group)
    if sizing.target > sizing.current:
        rise = f"{desired} rises from {sizing.current} to {sizing.target}"
        if sizing.target < sizing.wanted:
            return f"{rise}, not to {sizing.wanted}: {total}, but {why}"
        if sizing.target > sizing.wanted:
            return f"{rise}, the group's min size: {total}"
        return f"{rise}: {total}" + (f"; yet {why}" if why else "")
    stays = f"{desired} stays {sizing.current}"
    if sizing.wanted > sizing.current:
        return f"{stays}, not {sizing.wanted}: {total}, but {why or 'it cannot be raised'}"
    if sizing.wanted < sizing.current:
        stays = f"{stays}: {total}, and it is only ever lowered together with an instance"
    else:
        stays = f"{stays}: {total}"
    return stays + (f"; yet {why}" if why else "")


def _limit(limit: Limit, group: Group) -> str:
    return f"the group's max size is {group.max_size}" if limit is Limit.MAX_SIZE else CAUSES[limit]
