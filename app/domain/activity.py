"""When somebody last used an allocated instance, and when it has been unused for too long: by its heartbeat.

code-server tells in milliseconds of its own clock when it was last used. Two clocks are never compared, only
differences on one of them: a heartbeat that has moved is use, one that has not is silence. Whatever does not
prove silence counts as use, or as nothing: never as silence.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.limits import LATE, notice
from app.domain.terms import TermsPolicy, lead

GRAIN = timedelta(seconds=2)
"""How exact the times are that are compared: an instance tells its own in whole seconds."""
LATEST = 253_402_300_799_999
"""The end of the year 9999, in milliseconds since 1970: no heartbeat is later."""

_NONE = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What an instance tells of its use, in milliseconds since 1970 by its own clock."""

    last: int
    """When it was last used; 0: not since its server was started."""
    now: int | None
    """What time it is there; None: it does not say."""

    @property
    def age(self) -> timedelta | None:
        """How long ago it was last used, by its own clock.

        None where it does not say what time it is, or where its last use is still to come: its clock was set
        back, and code-server notes no use until that time has come.
        """
        if self.now is None:
            return None
        age = timedelta(milliseconds=self.now - self.last)
        return max(age, _NONE) if age >= -GRAIN else None

    def proves(self, silence: timedelta) -> bool:
        """Whether by its own clock, too, it has not been used for so long."""
        return self.age is not None and self.age + GRAIN >= silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What is known of one allocation's use; the times are the database's."""

    allocated_at: datetime
    heartbeat: int | None = None
    """As the instance told it last; None: it has not told any yet."""
    last_activity_at: datetime | None = None
    warned_at: datetime | None = None
    """When its end for lack of use was announced; None: it was not, or it was used since."""
    confirm_by: datetime | None = None
    spared: bool = False
    """Whether it is on hold, or its pool paused: it is not ended, and no end is announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """What a heartbeat tells of an allocation."""

    usage: Usage
    """What is known now."""
    ends_at: datetime | None = None
    """When it will end unless it is used: to be announced now. None: there is nothing to announce."""
    over: bool = False
    """Whether nobody has used it for the idle timeout, and its end was announced in time."""


def learn(
    known: Usage, heard: Heartbeat, *, unheard_for: timedelta, terms: TermsPolicy, now: datetime
) -> Insight:
    """Say what the heartbeat tells that was heard just now, `unheard_for` after the one before.

    Who is seen to use what it holds needs to confirm it no more.
    """
    used_at = _used_at(known, heard, unheard_for, now)
    usage = replace(known, heartbeat=heard.last)
    if used_at is not None:
        at = max(used_at, known.last_activity_at or used_at)
        usage = replace(usage, last_activity_at=at, warned_at=None, confirm_by=None)
    return _judge(usage, heard, terms, now)


def _judge(usage: Usage, heard: Heartbeat, terms: TermsPolicy, now: datetime) -> Insight:
    """Say whether its end is to be announced, or has come: only what both clocks prove ends it.

    It comes at the time that was told, or soon after. Where it could not, because of a hold, a pause, or an
    instance that did not answer, it is announced anew.
    """
    timeout, last = terms.idle_timeout, usage.last_activity_at
    if timeout is None or last is None:
        return Insight(usage=replace(usage, warned_at=None))
    ahead = lead(timeout, terms.warning)
    if now - last < timeout - ahead:
        return Insight(usage=replace(usage, warned_at=None))
    if usage.spared or not heard.proves(timeout - ahead):
        return Insight(usage=usage)
    told = usage.warned_at and max(last + timeout, usage.warned_at + notice(ahead))
    if told is None or now - told > LATE:
        return Insight(usage=replace(usage, warned_at=now), ends_at=max(last + timeout, now + notice(ahead)))
    return Insight(usage=usage, over=now >= told and heard.proves(timeout))


def _used_at(known: Usage, heard: Heartbeat, unheard_for: timedelta, now: datetime) -> datetime | None:
    """Say when it was last used, as far as this heartbeat shows it; None: it shows no use."""
    if known.heartbeat is None:
        # Before it was handed out its front page was opened once, which is a use for code-server.
        since = None if heard.last == 0 or heard.age is None else now - heard.age
        return since if since is not None and since - GRAIN >= known.allocated_at else None
    if heard.last > known.heartbeat:
        # What is new is no older than what was heard before: else its clock was set, and does not tell.
        return now - heard.age if heard.age is not None and heard.age <= unheard_for + GRAIN else now
    if heard.last < known.heartbeat and known.last_activity_at is not None:
        return now  # the server was started anew, or its clock set back: nobody knows what was before
    return None
