"""Instances that EC2 has as the group's own, that are no members, and that nobody explains: leaks."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from app.domain.model import Instance, InstanceId, Notice, Observation, Power
from app.domain.oddities import named

_ALIVE = frozenset({Power.PENDING, Power.RUNNING, Power.STOPPED})


class StrayWatch:
    """Tells a leak from an instance that the group's list does not show yet: by a second, later look."""

    def __init__(self, proof: timedelta) -> None:
        self._proof = proof
        self._first_seen: dict[InstanceId, datetime] = {}
        self._leaks: frozenset[InstanceId] = frozenset()

    def look(
        self, seen: Observation, known: Mapping[InstanceId, Instance], now: datetime
    ) -> list[InstanceId]:
        """Take note of a look, and return the leaks that it proves for the first time."""
        strays = [
            look.id
            for look in seen.instances.values()
            if not look.member and look.power in _ALIVE and look.id not in known
        ]
        self._first_seen = {one: self._first_seen.get(one, now) for one in strays}
        before = self._leaks
        self._leaks = frozenset(one for one, at in self._first_seen.items() if now - at >= self._proof)
        return sorted(self._leaks - before)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Report every leak there is."""
        if not self._leaks:
            return ()
        return (
            Notice(
                code="leak",
                detail="EC2 has instances with the group's name on them that are no members, and that we "
                f"know nothing of: {named(self._leaks)}. We never end them: look who needs them.",
            ),
        )
