"""What an allocation is made under: how long it lasts, and what must happen for it to last."""

from dataclasses import dataclass
from datetime import timedelta

from app.domain.errors import TtlTooLong

WARNING = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one allocation is made under."""

    ttl: timedelta | None = None
    """After so long it ends unless it is renewed; None: when somebody ends it."""
    warning: timedelta = WARNING
    """So long before an end that comes by itself it is announced, see `lead`."""
    confirm_within: timedelta | None = None
    """After so long it ends unless it was confirmed, renewed or used; None: it need not be."""

    @property
    def limited(self) -> bool:
        """Whether it may end by itself."""
        return self.ttl is not None or self.confirm_within is not None

    @property
    def lead(self) -> timedelta | None:
        """How long before its end that is announced: half of a short time at most."""
        return None if self.ttl is None else lead(self.ttl, self.warning)


UNLIMITED = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsPolicy:
    """What a pool says of the terms of its allocations."""

    default_ttl: timedelta | None = None
    """For who asks for none."""
    max_ttl: timedelta | None = None
    """The longest that can be asked for at once; renewing goes on from then. None: any, and no limit."""
    confirm_within: timedelta | None = None
    """For who asks for none."""
    idle_timeout: timedelta | None = None
    """An allocation that was used, and has not been for so long, ends; None: it does not."""
    warning: timedelta = WARNING
    """So long before an end that comes by itself it is announced, see `lead`."""

    def terms(self, *, ttl: timedelta | None = None, confirm_within: timedelta | None = None) -> Terms:
        """Return the terms for who asks for these; None: for no particular ones. Raises TtlTooLong."""
        return Terms(
            ttl=self.limited(self.default_ttl if ttl is None else ttl, asked=ttl is not None),
            warning=self.warning,
            confirm_within=self.confirm_within if confirm_within is None else confirm_within,
        )

    def limited(self, ttl: timedelta | None, *, asked: bool) -> timedelta | None:
        """Return the time limit as the pool allows it.

        One that was `asked` for and is too long, or is none where there must be one, raises TtlTooLong.
        """
        if self.max_ttl is None or (ttl is not None and ttl <= self.max_ttl):
            return ttl
        if not asked:
            return self.max_ttl
        wanted = "no time limit" if ttl is None else f"{ttl.total_seconds():g} seconds"
        raise TtlTooLong(
            f"This pool allows {self.max_ttl.total_seconds():g} seconds at most, and {wanted} was asked for. "
            "An allocation can be renewed as often as needed."
        )


def lead(span: timedelta, warning: timedelta) -> timedelta:
    """Say how long before its end a span of time is announced to end: half of a short one at most."""
    return min(warning, span / 2)
