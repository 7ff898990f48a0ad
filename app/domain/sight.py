"""What somebody was shown of an instance before they decided on it: what they would not have lost unasked."""

from typing import NewType

from app.domain.errors import VersionChanged
from app.domain.model import Instance, InstanceState

Sight = NewType("Sight", str)
"""A few words; two are equal where ending the instance, or its hold, costs the same."""


def sight_of(instance: Instance) -> Sight:
    """Tell which instance it is, who has it, and whether it is kept by a hold.

    Whether a free one is ready is left out: it changes by itself, and nobody loses anything by it.
    """
    match instance.state:
        case InstanceState.BOOTING | InstanceState.IDLE:
            use = "free"
        case InstanceState.ALLOCATED:
            use = f"allocated to {instance.project}" if instance.project else "in use, nobody knows by whom"
        case _:
            use = "ending"
    return Sight(f"{instance.id} is {use}{' and held' if instance.held else ''}")


def confirm(expect: Sight | None, now: Instance) -> None:
    """Raise VersionChanged where an instance is not as it was shown; None: it was not looked at before."""
    found = sight_of(now)
    if expect is not None and found != expect:
        raise VersionChanged(f"It has changed since you were shown it: {found} now. Nothing was done.")
