"""How a pool is, in one word and one sentence, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.controls import Controls
from app.domain.counting import Count
from app.domain.model import InstanceState, Limit, PoolView


class Condition(StrEnum):
    """How a pool is: of several that hold, the first that a person must know."""

    BLIND = "blind"
    """Nobody looks after the pool, or AWS does not answer: what is shown may be old."""
    PAUSED = "paused"
    """An operator paused it: nothing is changed at AWS."""
    EXHAUSTED = "exhausted"
    """Nothing is idle: who asks now has to wait."""
    STARTING = "starting"
    """The first instances are on their way; none was ever ready, and nobody waits."""
    LIMITED = "limited"
    """Some are idle, and something keeps the pool from having as many as it should."""
    SHORT = "short"
    """Fewer are idle than should be, for so long that it is no matter of a boot any more."""
    FILLING = "filling"
    """Some are idle, and the others are on their way."""
    EMPTY = "empty"
    """There is no instance, and none is wanted."""
    HEALTHY = "healthy"
    """As many are idle as should be."""


class Tone(StrEnum):
    """How much a person should mind."""

    GOOD = "good"
    BUSY = "busy"
    """Work is in hand: wait, and do nothing."""
    WARN = "warn"
    """Somebody should look, soon."""
    BAD = "bad"
    """Somebody should look now: a project that asks gets nothing."""


PATIENCE = timedelta(minutes=5)
"""How long a pool may have fewer idle than its buffer before somebody should look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was, as far as a judgement needs it."""

    ever_ready: bool = False
    """Whether an instance of the pool was ever ready."""
    short_since: datetime | None = None
    """Since when fewer have been idle than the buffer; None: that is not so, or not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement of one pool."""

    condition: Condition
    tone: Tone
    headline: str
    advice: str
    """What it means and what to do next, in one or two sentences."""
    since: datetime | None = None
    """Since when it is so, where that is known."""


CAUSES: Mapping[Limit, str] = {
    Limit.MAX_SIZE: "the group is at its max size",
    Limit.CAPACITY: "AWS has no more instances of this type",
    Limit.QUOTA: "an AWS quota of the account is used up",
    Limit.CONFIGURATION: "AWS cannot launch as the group is set up",
    Limit.BOOT_FAILURES: "new instances do not become ready",
    Limit.AWS_ERRORS: "AWS cannot be looked at, or refuses to grow the group",
    Limit.PAUSED: "the pool is paused",
}
"""What each limit is, within a sentence."""
_HELP: Mapping[Limit, str] = {
    Limit.MAX_SIZE: "Raise it: it is too small for all that is allocated and the buffer.",
    Limit.CAPACITY: "The group keeps trying. More instance types or zones help.",
    Limit.QUOTA: "Ask AWS for a higher one.",
    Limit.CONFIGURATION: "Mend its launch template, or resume its process Launch.",
    Limit.BOOT_FAILURES: "Look at one that boots, and mend the launch template.",
    Limit.AWS_ERRORS: "The warnings say how.",
    Limit.PAUSED: "Nothing is changed at AWS. To go on: ec2-orchestrator resume",
}
REMEDIES: Mapping[Limit, str] = {
    limit: f"{cause[0].upper()}{cause[1:]}. {_HELP[limit]}" for limit, cause in CAUSES.items()
}
"""What is in the way at each limit, and what helps."""


def judge(
    *,
    count: Count,
    buffer: int,
    waiting: int,
    view: PoolView,
    controls: Controls,
    stale: bool,
    led: bool,
    past: Past,
    now: datetime,
) -> Verdict:
    """Judge a pool by what the registry has of it.

    `stale`: no pass has succeeded for longer than is to be expected; `led`: some replica looks after pools,
    or did so a moment ago.
    """
    pool = _Pool(count=count, buffer=buffer, waiting=waiting, view=view)
    if _unseen(view, stale=stale, led=led):
        return pool.blind(controls, stale=stale, led=led)
    if controls.paused:
        return pool.paused(controls)
    if pool.idle == 0 and pool.wanted:
        return pool.exhausted() if past.ever_ready or not pool.fresh else pool.starting()
    if pool.idle >= pool.wanted:
        return pool.healthy() if count.total else pool.empty()
    return pool.lacking(past.short_since, now)


def _unseen(view: PoolView, *, stale: bool, led: bool) -> bool:
    """Whether the last look at AWS failed, or is too long ago; before the first one, time is given."""
    if not led:
        return True
    if view.last_attempt_at is None:
        return False
    return stale or view.last_pass_at is None or view.last_attempt_at > view.last_pass_at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    count: Count
    buffer: int
    waiting: int
    view: PoolView

    @property
    def idle(self) -> int:
        return self.count.of(InstanceState.IDLE)

    @property
    def booting(self) -> int:
        return self.count.of(InstanceState.BOOTING)

    @property
    def wanted(self) -> int:
        """How many should be idle: the buffer, and one for each project that waits."""
        return self.buffer + self.waiting

    @property
    def fresh(self) -> bool:
        """Whether there is nothing but what boots, nothing is in its way, and nobody waits for it."""
        return self.view.limited_by is None and self.count.total == self.booting and not self.waiting

    @property
    def _line(self) -> str:
        """Who waits, to end a sentence with."""
        if not self.waiting:
            return ""
        return "; a project waits" if self.waiting == 1 else f"; {self.waiting:,} projects wait"

    @property
    def _coming(self) -> str:
        return f"{self.booting:,} booting" if self.booting else "none booting"

    @property
    def _remark(self) -> str:
        """What would be in the way, were more wanted; to end the advice with."""
        limit = self.view.limited_by
        return "" if limit is None else f" In the way of more: {CAUSES.get(limit, limit)}."

    def _calm(self, tone: Tone) -> Tone:
        """Return the tone of a pool that lacks nothing; not that where who asks next waits in vain."""
        return Tone.WARN if self.view.limited_by is not None and self.idle == 0 else tone

    def healthy(self) -> Verdict:
        if self.buffer == 0:
            return Verdict(
                condition=Condition.HEALTHY,
                tone=self._calm(Tone.GOOD),
                headline="Healthy: instances start on demand" + self._line,
                advice="The buffer is 0, so none is kept idle: who asks waits until one has booted."
                + self._remark,
            )
        return Verdict(
            condition=Condition.HEALTHY,
            tone=Tone.GOOD,
            headline=f"Healthy: {self.idle:,} idle, {self.buffer:,} wanted{self._line}",
            advice="Projects get an instance at once. There is nothing to do." + self._remark,
        )

    def lacking(self, short_since: datetime | None, now: datetime) -> Verdict:
        """Say why some are missing: what is in the way, and if nothing is, for how long it has been so."""
        if self.view.limited_by is not None:
            return self.limited(self.view.limited_by)
        if self.idle < self.buffer and short_since is not None and now - short_since >= PATIENCE:
            return self.short(short_since)
        return self.filling()

    def short(self, since: datetime) -> Verdict:
        if self.booting:
            what = (
                "More are on their way. Where it stays so, they are taken faster than they boot: a larger "
                "buffer helps."
            )
        else:
            what = (
                "None is on its way: see the events, and on the service's machine `ec2-orchestrator plan`, "
                "which says what the next pass would do, and why."
            )
        minutes = PATIENCE // timedelta(minutes=1)
        return Verdict(
            condition=Condition.SHORT,
            tone=Tone.WARN,
            headline=f"Short: {self.idle:,} of {self.buffer:,} idle for more than {minutes} minutes, "
            f"{self._coming}{self._line}",
            advice=f"Projects still get an instance at once. {what}",
            since=since,
        )

    def filling(self) -> Verdict:
        return Verdict(
            condition=Condition.FILLING,
            tone=Tone.BUSY,
            headline=f"Filling up: {self.idle:,} of {self.wanted:,} idle, {self._coming}{self._line}",
            advice="Projects get an instance at once, and more are "
            + ("on their way." if self.booting else "asked for.")
            + " There is nothing to do.",
        )

    def starting(self) -> Verdict:
        if self.booting == 0:
            told = "Starting: the first instances are asked for"
        elif self.booting == 1:
            told = "Starting: the first instance boots"
        else:
            told = f"Starting: the first {self.booting:,} instances boot"
        return Verdict(
            condition=Condition.STARTING,
            tone=Tone.BUSY,
            headline=told,
            advice="None is ready yet. An instance becomes idle as soon as its editor answers; until then, "
            "who asks with a wait gets the first one.",
        )

    def empty(self) -> Verdict:
        return Verdict(
            condition=Condition.EMPTY,
            tone=self._calm(Tone.BUSY),
            headline="Empty: there are no instances, and none is wanted",
            advice="The buffer is 0. Set one to keep instances ready. A project that asks starts an "
            "instance, too, and waits for it." + self._remark,
        )

    def exhausted(self) -> Verdict:
        limit = self.view.limited_by
        because = "" if limit is None else f"; {CAUSES.get(limit, limit)}"
        if limit is not None:
            advice = _help(limit)
        elif self.booting:
            advice = "Who asks now has to wait. More are on their way."
        else:
            advice = "Who asks now has to wait. More are asked for; where none boots soon, see the events."
        return Verdict(
            condition=Condition.EXHAUSTED,
            tone=Tone.BAD,
            headline=f"Exhausted: nothing is idle, {self._coming}{self._line}{because}",
            advice=advice,
        )

    def limited(self, limit: Limit) -> Verdict:
        return Verdict(
            condition=Condition.LIMITED,
            tone=Tone.WARN,
            headline=f"Limited: {self.idle:,} of {self.wanted:,} idle; "
            f"{CAUSES.get(limit, limit)}{self._line}",
            advice=_help(limit),
        )

    def paused(self, controls: Controls) -> Verdict:
        stock = f"{self.idle:,} idle" if self.idle else "nothing is idle"
        return Verdict(
            condition=Condition.PAUSED,
            tone=Tone.WARN if self.idle else Tone.BAD,
            headline=f"Paused by {controls.paused_by or 'somebody'}: {stock}{self._line}",
            advice="Claims and releases go on with the instances there are. Nothing is changed at AWS, and "
            "the buffer is not filled up, until the pool is resumed.",
            since=controls.paused_at,
        )

    def blind(self, controls: Controls, *, stale: bool, led: bool) -> Verdict:
        stock = f"{self.idle:,} idle when last seen" if self.idle else "nothing is idle"
        told = "AWS cannot be looked at" if led else "nobody looks after the pool"
        if self.idle:
            who_asks = "Projects still get the instances that are idle."
        else:
            who_asks = "A project that asks gets nothing."
        if led and self.view.last_pass_at is None:
            what = "AWS was never looked at with success, so nothing is started: the warnings say why."
        elif led:
            what = "Nothing is started or ended until AWS answers again: the warnings say what it said."
        else:
            what = "Nothing is started or ended. Does a poller run (ORCHESTRATOR_POLLER, scheduler.py)?"
        also = f" And the pool is paused by {controls.paused_by or 'somebody'}." if controls.paused else ""
        return Verdict(
            condition=Condition.BLIND,
            tone=Tone.BAD if stale or not self.idle else Tone.WARN,
            headline=f"Blind: {told}; {stock}{self._line}",
            advice=f"{who_asks} {what}{also}",
            since=self.view.last_pass_at,
        )


def _help(limit: Limit) -> str:
    """Return what helps; of a limit that only a newer version knows, where to read on."""
    return _HELP.get(limit, "The warnings say more.")
