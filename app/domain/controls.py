"""What operators tell a running pool: kept with it, so that it survives restarts."""

from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.model import Policy, PoolName

MOST_BUFFER = 10_000
"""The largest buffer that can be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an operator wants different; None leaves a control as it is."""

    buffer: int | None = None
    as_configured: bool = False
    """Give up a buffer that was set before: the settings' own holds again."""
    paused: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The controls of one pool as they stand; `version` counts their changes."""

    pool: PoolName
    buffer: int | None = None
    """Idle instances to keep ready; None: as the settings have it."""
    paused_at: datetime | None = None
    """Since when nothing is changed at AWS; None: the pool is not paused."""
    paused_by: str | None = None
    version: int = 0

    @property
    def paused(self) -> bool:
        """Whether the pool changes nothing at AWS. Claims go on."""
        return self.paused_at is not None

    def over(self, policy: Policy) -> Policy:
        """Return what the settings want, with what operators said put over it."""
        buffer = policy.buffer if self.buffer is None else self.buffer
        return replace(policy, buffer=buffer, paused=self.paused)

    def changed(self, change: Change, *, actor: str, now: datetime) -> "Controls":
        """Return them as the change leaves them; where it changes nothing, the version stays, too."""
        buffer = None if change.as_configured else self.buffer if change.buffer is None else change.buffer
        after = replace(self, buffer=buffer)
        if change.paused is not None and change.paused != self.paused:
            paused_at, paused_by = (now, actor) if change.paused else (None, None)
            after = replace(after, paused_at=paused_at, paused_by=paused_by)
        return self if after == self else replace(after, version=self.version + 1)
