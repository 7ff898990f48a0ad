"""What an operator asks first: how many are idle, who holds what, and what is in the way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from app.domain.controls import Controls
from app.domain.counting import Count
from app.domain.errors import PoolNotFound, RegistryUnavailable
from app.domain.estimate import typical
from app.domain.model import DEFAULT_POOL, Limit, Notice, PoolName, PoolView
from app.ports import Backlog, Census, Clock, Lease, Listed, Survey, Watch
from app.service.undelivered import undelivered
from app.settings import PoolSettings

MISSED_PASSES = 6
"""After so many poll intervals without a good pass, the service is not ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Who answers, who leads, and how well the pools are looked after."""

    replica: str
    """The process that answers."""
    leader: Lease | None
    """None while nobody leads, or where the registry cannot tell."""
    pass_age: timedelta | None
    """Since the last good pass; None where there was none yet. In a Summary that of the pool `default`, in a
    Health the youngest of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """One pool at one moment."""

    config: PoolSettings
    controls: Controls
    view: PoolView
    """What the last passes learnt; `limited_by` and `notices` are those to be shown now."""
    count: Count
    """How many instances it has, each counted once."""
    waiting: int
    """How many projects asked in vain a short time ago, and hold nothing yet."""
    launch_time: timedelta | None = None
    """How long the last launches took until the instance was ready: their median. None: none was measured."""
    pass_age: timedelta | None = None
    """Since the last good pass; None where there was none yet."""
    stale: bool = False
    """Whether no pass has succeeded within MISSED_PASSES poll intervals: what stands here may be old."""

    @property
    def buffer(self) -> int:
        """Idle instances to keep ready, as things stand."""
        return self.controls.over(self.config.policy).buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All pools at one moment, and who looks after them."""

    pools: Sequence[PoolStatus]
    """All pools, `default` first and the others by name."""
    duty: Duty
    backlog: Backlog = field(default_factory=Backlog)
    """What is still to be sent to the webhook, and what was given up."""

    @property
    def default(self) -> PoolStatus:
        """The pool of those who name none."""
        return self.pools[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Summary):
    """The same, and at the same moment the instances of the pool `default`."""

    parts: Iterator[Sequence[Listed]]
    """Those that are not terminated, the oldest state first; read as they are taken: see Census.listing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that should be so for the service to be ready."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the service can do its work, and who does it."""

    checks: tuple[Check, ...]
    ready: bool
    """Whether it should get requests: one pool that nobody can look after is no reason against it."""
    duty: Duty


class StatusReader:
    """Reads the registry, never AWS: an answer costs AWS nothing, and comes also while AWS is away."""

    def __init__(
        self,
        *,
        pools: Mapping[PoolName, PoolSettings],
        poll_interval: timedelta,
        census: Census,
        replica: str,
        clock: Clock,
        webhook: bool = True,
    ) -> None:
        """`webhook`: there is one; else what lies in the outbox is no news."""
        self._pools = pools
        self._patience = MISSED_PASSES * poll_interval
        self._census = census
        self._replica = replica
        self._clock = clock
        self._webhook = webhook

    @contextmanager
    def status(self) -> Iterator[Status]:
        """Tell the figures of every pool, and every instance of the pool `default` that is not terminated.

        The instances can be read within the `with` alone.
        """
        with self._census.listing(DEFAULT_POOL, now=self._clock.now()) as found:
            told = self._summary(found.survey)
            yield Status(pools=told.pools, duty=told.duty, backlog=told.backlog, parts=found.parts)

    def summary(self) -> Summary:
        """Tell the figures of every pool, and who leads."""
        return self._summary(self._survey())

    def _summary(self, survey: Survey) -> Summary:
        order = sorted(self._pools, key=lambda name: (name != DEFAULT_POOL, name))
        pools = [self._shown(survey, name, _controls(survey, name)) for name in order]
        return Summary(
            pools=pools,
            duty=self._duty(survey, pools[0].pass_age),
            backlog=survey.backlog,
        )

    def pools(self) -> Sequence[PoolStatus]:
        """Tell the figures of every pool, `default` first and the others by name."""
        return self.summary().pools

    def pool(self, name: PoolName) -> PoolStatus:
        """Tell the figures of one pool. Raises PoolNotFound."""
        self.known(name)
        survey = self._survey()
        return self._shown(survey, name, _controls(survey, name))

    def beneath(self, name: PoolName) -> Callable[[Controls], PoolStatus]:
        """Read all of one pool but its controls, to show it under those given. Raises PoolNotFound."""
        self.known(name)
        return partial(self._shown, self._survey(), name)

    def known(self, name: PoolName) -> PoolName:
        """Return the name where the settings have such a pool. Raises PoolNotFound."""
        if name not in self._pools:
            raise PoolNotFound(f"There is no pool '{name}'. There are: {', '.join(sorted(self._pools))}.")
        return name

    def health(self) -> Health:
        """Say for each thing that readiness needs whether it is so, and why not."""
        try:
            watch = self._census.watch()
        except RegistryUnavailable as error:
            nobody = Duty(replica=self._replica, leader=None, pass_age=None)
            return Health((Check("registry", passed=False, detail=error.detail),), ready=False, duty=nobody)
        views = {name: _view(watch, name) for name in self._pools}
        ages = [age for view in views.values() if (age := self._age(view)) is not None]
        passes = tuple(self._pass_check(view, self._check_name(name)) for name, view in views.items())
        return Health(
            (Check("registry", passed=True, detail="answers"), *passes),
            ready=any(check.passed for check in passes),
            duty=self._duty(watch, min(ages, default=None)),
        )

    def _survey(self) -> Survey:
        return self._census.survey(now=self._clock.now())

    def _duty(self, watch: Watch, pass_age: timedelta | None) -> Duty:
        return Duty(replica=self._replica, leader=watch.leader, pass_age=pass_age)

    def _shown(self, survey: Survey, name: PoolName, controls: Controls) -> PoolStatus:
        view = _view(survey, name)
        notices = list(view.notices)
        stale = not self._pass_check(view).passed
        if stale:
            notices.insert(0, self._no_pass(view))
        limited_by = view.limited_by
        if controls.paused:
            notices.insert(0, _paused(controls))
            limited_by = Limit.PAUSED
        elif limited_by is Limit.PAUSED:  # by the last pass; the next one is about to come
            limited_by = None
        if name == DEFAULT_POOL:
            notices += unknown_pools(survey.counts, self._pools)
            notices += undelivered(survey.backlog) if self._webhook else ()
        shown = replace(view, limited_by=limited_by, notices=tuple(notices))
        return PoolStatus(
            config=self._pools[name],
            controls=controls,
            view=shown,
            count=survey.counts.get(name, Count()),
            waiting=survey.waiting.get(name, 0),
            launch_time=typical(survey.launches.get(name, ())),
            pass_age=self._age(view),
            stale=stale,
        )

    def _age(self, view: PoolView) -> timedelta | None:
        if view.last_pass_at is None:
            return None
        return max(timedelta(), self._clock.now() - view.last_pass_at)

    def _check_name(self, pool: PoolName) -> str:
        return "pass" if len(self._pools) == 1 else f"pass of {pool}"

    def _no_pass(self, view: PoolView) -> Notice:
        said = self._pass_check(view).detail
        return Notice(
            code="no-pass",
            detail=f"Nobody looks after the pool: {said}. What stands here may be old, and the buffer "
            "is not filled up: does a poller run, and does AWS answer?",
        )

    def _pass_check(self, view: PoolView, name: str = "pass") -> Check:
        age = self._age(view)
        if age is None:
            return Check(name, passed=False, detail="no pass has succeeded yet")
        detail = f"last success {age.total_seconds():.0f} s ago"
        return Check(name, passed=age <= self._patience, detail=detail)


def unknown_pools(counts: Mapping[PoolName, Count], known: Mapping[PoolName, PoolSettings]) -> list[Notice]:
    """Report the pools of the database that still have instances, and that the settings do not name."""
    return [
        Notice(
            code="pool-unknown",
            detail=f"The settings name no pool '{name}' any more, and nobody looks after its instances "
            f"({count.total}). To be rid of it, put it back with buffer = 0, end them, and "
            "take it out again.",
        )
        for name, count in sorted(counts.items())
        if name not in known
    ]


def _view(watch: Watch, name: PoolName) -> PoolView:
    return watch.views.get(name, PoolView(pool=name))


def _controls(survey: Survey, name: PoolName) -> Controls:
    return survey.controls.get(name, Controls(pool=name))


def _paused(controls: Controls) -> Notice:
    since = "" if controls.paused_at is None else f" since {controls.paused_at:%Y-%m-%d %H:%M:%S} UTC"
    pool = "" if controls.pool == DEFAULT_POOL else f" --pool {controls.pool}"
    return Notice(
        code="paused",
        detail=f"Paused by {controls.paused_by or 'somebody'}{since}: nothing is changed at AWS. "
        f"To go on: ec2-orchestrator resume{pool}",
    )
