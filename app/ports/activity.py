"""Whether projects use what they hold: asked of the instances, and kept in the registry."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from app.domain.activity import Heartbeat
from app.domain.model import InstanceId, PoolName
from app.domain.terms import TermsPolicy


class HeartbeatReader(Protocol):
    """Asks instances when they were last used."""

    def read(self, targets: Mapping[InstanceId, tuple[str, int]]) -> Mapping[InstanceId, Heartbeat]:
        """Return what those of `targets` (id: address and port) tell that can tell it.

        Whoever does not answer, or answers something else, is missing. Asking does not count as a use. Never
        raises; bounded in time.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A heartbeat that was heard just now."""

    heartbeat: Heartbeat
    unheard_for: timedelta = timedelta()
    """How long ago the one before was heard; nothing where that is not known."""


class Activity(Protocol):
    """What the registry has of the use of allocations, judged by the database's clock.

    Each method may raise RegistryUnavailable. See domain/activity.py for what counts as use.
    """

    def watched(self, pool: PoolName) -> Mapping[InstanceId, tuple[str, int]]:
        """Return where the allocated instances of the pool listen. Cheap: it is asked every second."""
        ...

    def note(
        self, pool: PoolName, heard: Mapping[InstanceId, Heard], terms: TermsPolicy
    ) -> Sequence[InstanceId]:
        """Keep when these were last used, as far as what they tell shows it; in one change for all of them.

        One that was used since it was allocated needs no confirmation any more. Of one that will end for lack
        of use by `terms` that is recorded, once until it is used again. Returns those whose end has come: see
        `end`. What somebody else changes just now is left for the next time.
        """
        ...

    def note_each(
        self, pool: PoolName, heard: Mapping[InstanceId, Heard], terms: TermsPolicy
    ) -> Collection[InstanceId]:
        """Keep the same, each in a change of its own that waits for whoever changes that one just now.

        Returns those of which all that was heard is kept.
        """
        ...

    def end(self, instance: InstanceId, heartbeat: Heartbeat, terms: TermsPolicy) -> bool:
        """End an allocation that nobody uses, as `heartbeat` has shown just now, and its instance.

        False, and no change, where nobody says that it was used, or where it was used, held, or ended
        meanwhile, the pool is paused by now, or its end has not been announced for as long as it should.
        """
        ...
