"""Members in use of which nothing is to be decided or told: nearly all of a large pool.

A pass counts them, and looks through the others.
"""

from dataclasses import dataclass, replace
from typing import Self

from app.domain.model import (
    Instance,
    InstanceState,
    Known,
    Lifecycle,
    Observation,
    Power,
    SeenInstance,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """What is to be looked through of a look, and of what is known: the same instances in both."""

    seen: Observation
    known: Known
    settled: int = 0
    """How many members are in service and held by a project besides."""
    everybody: Known
    """All that is known, the settled as well."""

    @classmethod
    def of(cls, seen: Observation, known: Known) -> Self:
        """Leave out the settled: whatever the time and the policy, nothing follows from one of them."""
        looks = seen.instances
        settled = {
            one
            for one, instance in known.items()
            if (look := looks.get(one)) is not None and is_settled(look, instance)
        }
        return cls(
            seen=replace(seen, instances={one: look for one, look in looks.items() if one not in settled}),
            known={one: instance for one, instance in known.items() if one not in settled},
            settled=len(settled),
            everybody=known,
        )


def is_settled(look: SeenInstance, instance: Instance) -> bool:
    """Whether a project holds a member as it should be: both AWS and the registry say so, and agree."""
    return (
        instance.state is InstanceState.ALLOCATED
        and instance.project is not None
        and instance.tagged
        and instance.missing_since is None
        and look.lifecycle is Lifecycle.IN_SERVICE
        and look.power is Power.RUNNING
        and look.protected
        and (look.holder is None or look.holder == instance.project)
    )
