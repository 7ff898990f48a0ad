"""When an allocation ends by itself, and when that is announced: decided here, and nowhere else."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.model import EndReason
from app.domain.terms import Terms

NOTICE = timedelta(minutes=1)
"""An end that is told anew comes so long after that, and one that is told late."""
LATE = timedelta(minutes=5)
"""What comes later than this after the time that was told is told anew: longer than ends of many take."""
UNTOLD_LEAD = 2 * NOTICE
"""How long before its end one is announced that an older version of the service made, or renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The times at which one allocation is due for something, by the clock that all replicas go by."""

    expires_at: datetime | None = None
    """When it ends; None: when somebody ends it."""
    warn_at: datetime | None = None
    """When that is to be announced; the end itself once it is. An older version writes none, or leaves it."""
    confirm_by: datetime | None = None
    """When it ends unless it is confirmed; None once it is, or where it need not be."""

    @property
    def announced(self) -> bool:
        """Whether the end was told."""
        return self.warn_at == self.expires_at

    def renewed(self, terms: Terms, now: datetime) -> "Limits":
        """Return them for one that lasts as long as `terms` say from now on, and is confirmed by that."""
        return replace(limits_of(terms, now), confirm_by=None)

    def put_off(self, announcement: "Announcement") -> "Limits":
        """Return them after an announcement."""
        if announcement.reason is EndReason.UNCONFIRMED:
            return replace(self, confirm_by=announcement.ends_at)
        return replace(self, expires_at=announcement.ends_at, warn_at=announcement.ends_at)


@dataclass(frozen=True, slots=True)
class Announcement:
    """An end that is to be told before it comes."""

    reason: EndReason
    ends_at: datetime
    """When it comes: not before who hears of it had time to act."""


@dataclass(frozen=True, slots=True)
class End:
    """An end that is to come now."""

    reason: EndReason


def limits_of(terms: Terms, now: datetime) -> Limits:
    """Return the limits of an allocation that begins now, under these terms."""
    expires_at = None if terms.ttl is None else now + terms.ttl
    return Limits(
        expires_at=expires_at,
        warn_at=None if expires_at is None or terms.lead is None else expires_at - terms.lead,
        confirm_by=None if terms.confirm_within is None else now + terms.confirm_within,
    )


def due(limits: Limits, now: datetime) -> Announcement | End | None:
    """Say what is due for an allocation that is neither held for inspection nor in a paused pool.

    Nobody loses an instance by surprise: the end of a time limit is announced, and it comes at the time that
    was told, or soon after. Where it could not, because of a hold, a pause or an outage, it is announced
    anew. One that need be confirmed is only told so by its answer: but where nobody could end it in time,
    nobody could confirm it, either.
    """
    if limits.confirm_by is not None and limits.confirm_by <= now:
        return _timely(EndReason.UNCONFIRMED, limits.confirm_by, now)
    if limits.expires_at is None:
        return None
    if limits.announced:
        return _timely(EndReason.EXPIRED, limits.expires_at, now) if limits.expires_at <= now else None
    lead = UNTOLD_LEAD
    if limits.warn_at is not None and limits.warn_at < limits.expires_at:
        lead = limits.expires_at - limits.warn_at
    if now < limits.expires_at - lead:
        return None
    return Announcement(EndReason.EXPIRED, max(limits.expires_at, now + notice(lead)))


def notice(lead: timedelta) -> timedelta:
    """Say how long an end is known at least before it comes, of one that is announced `lead` before it.

    An announcement that is a little late moves no end.
    """
    return min(lead / 2, NOTICE)


def _timely(reason: EndReason, told: datetime, now: datetime) -> Announcement | End:
    return Announcement(reason, now + NOTICE) if now - told > LATE else End(reason)
