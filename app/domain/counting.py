"""How many instances there are: each is counted once, by its state or as held."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.domain.model import NOT_TERMINATED, Instance, InstanceState

PUT_ASIDE = frozenset({InstanceState.BOOTING, InstanceState.IDLE})
"""The states in which a hold keeps an instance from projects: it is counted as held, or the buffer would look
fuller than it is. What a project has, and what is on its way out, is so on hold too."""


@dataclass(frozen=True, slots=True)
class Count:
    """The instances of one pool."""

    states: Mapping[InstanceState, int] = field(default_factory=dict)
    """How many are in each state but terminated, without those in `held`; states in which none is may be left
    out."""
    held: int = 0
    """How many would be booting or idle, and are on hold."""

    def of(self, state: InstanceState) -> int:
        """Tell how many are in a state."""
        return self.states.get(state, 0)

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.states.values()) + self.held


def counted(instances: Iterable[Instance]) -> Count:
    """Count instances, each once."""
    living = [one for one in instances if one.state in NOT_TERMINATED]
    shown = Counter(one.state for one in living if not (one.held and one.state in PUT_ASIDE))
    return Count(shown, held=len(living) - shown.total())
