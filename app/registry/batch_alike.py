"""Claims of one batch that are given the same kind of thing: instances of one pool, proved alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.limits import Limits
from app.domain.model import PoolName
from app.registry.claims import Claim

LIMITS = ("expires_at", "warn_at", "confirm_by")
"""The columns of an allocation that say when it is due for something."""


def ends(limits: Limits) -> dict[str, datetime]:
    """Return those of the limits that there are, by their columns."""
    return {column: end for column in LIMITS if (end := getattr(limits, column)) is not None}


@dataclass(frozen=True, slots=True)
class Alike:
    """At least one claim; each is of another project, that holds nothing."""

    claims: Sequence[Claim]
    limits: Sequence[Limits]
    """Of what each of them is given."""

    @property
    def pool(self) -> PoolName:
        """Where they are given from."""
        return self.claims[0].pool

    @property
    def now(self) -> datetime:
        """When what they are given begins: all at the latest of their times."""
        return max(claim.now for claim in self.claims)

    @property
    def ready_since(self) -> datetime | None:
        """Since when an instance must have been found ready for every one of them; None: it need not be."""
        return max(
            (claim.ready_since for claim in self.claims if claim.ready_since is not None), default=None
        )
