"""What keeps the word idle true: booting instances are probed until they are ready, idle ones ever after."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from app.domain.actions import MarkIdle
from app.domain.boots import conclude_boots
from app.domain.model import Instance, InstanceId, InstanceState, Policy, SeenInstance
from app.ports import Clock, ControlPanel, Mandate, Meter, Prober, Registry

RECHECK = timedelta(seconds=15)
"""How often an idle instance is probed."""
RECHECK_FAILED = timedelta(seconds=2)
"""How soon an idle instance is probed again that did not answer."""
FRESH = 3 * RECHECK
"""How old the last good probe of an instance may be when it is handed out."""

_PROBED = frozenset({InstanceState.BOOTING, InstanceState.IDLE})

Targets = dict[InstanceId, tuple[str, int]]


class Readiness:
    """Probes in the background, beside the passes: instances that hang delay no top-up and no claim.

    A booting instance must answer its probe, and its front page must open once, before it is first idle. From
    then on only the probe is asked, which does not count as use of the instance.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        registry: Registry,
        controls: ControlPanel,
        prober: Prober,
        mandate: Mandate,
        meter: Meter,
        clock: Clock,
    ) -> None:
        self._policy = policy
        self._controls = controls
        self._mandate = mandate
        self._registry = registry
        self._prober = prober
        self._meter = meter
        self._clock = clock
        self._booting: tuple[SeenInstance, ...] = ()
        self._looked = False
        self._probed: dict[InstanceId, _Probed] = {}

    def see(self, booting: Iterable[SeenInstance]) -> None:
        """Take note of the booting instances that AWS has in service, and protected where that can be."""
        self._booting = tuple(booting)
        self._looked = True

    def see_nothing(self) -> None:
        """Take note that AWS could not be looked at: nothing that boots is judged meanwhile."""
        self._booting = ()

    def round(self) -> bool:
        """Probe what is booting, and the idle ones whose turn it is; say whether a pass has work for it.

        Offers what has become ready, for which no pass is needed; replaces what takes too long, and withdraws
        what stopped answering.
        """
        if not self._looked:
            return False  # an address may be another instance's since this process last ran
        started = self._clock.now()
        known = self._registry.instances(self._policy.pool, _PROBED)
        booting = [look for look in self._booting if _is(known.get(look.id), InstanceState.BOOTING)]
        idle = self._due(known, started)
        if not booting and not idle:
            return False
        # Apart, and first: instances that hang while they boot take nothing from the time of the idle ones.
        changed = self._recheck(idle) if idle else False
        return self._settle(booting, known) or changed if booting else changed

    def _settle(self, booting: list[SeenInstance], known: Mapping[InstanceId, Instance]) -> bool:
        answering = self._prober.probe(_where(booting, self._policy))
        new = [look for look in booting if look.id in answering and look.address != known[look.id].address]
        opening = self._prober.opens(_where(new, self._policy)) if new else frozenset()
        ready = answering - {look.id for look in new} | opening
        if not self._mandate.trusted:  # probing takes its time
            return False
        registry, pool, now = self._registry, self._policy.pool, self._clock.now()
        policy = self._controls.controls(pool).over(self._policy)
        failures = registry.boot_failures(pool)
        changed = False
        for action in conclude_boots(booting, known, ready, failures, policy=policy, now=now):
            if isinstance(action, MarkIdle):
                if registry.mark_idle(action.instance, action.address, action.port, now=now):
                    self._time(known[action.instance], now)
            else:
                changed |= registry.end(
                    action.instance,
                    expect=action.expect,
                    to=InstanceState.TERMINATING,
                    reason=action.reason,
                    now=now,
                )
        return changed

    def _time(self, was: Instance, now: datetime) -> None:
        """Note how long an instance took from its launch, which AWS's clock tells, to its first readiness."""
        if was.address is None and was.launched_at is not None:
            self._meter.became_ready(self._policy.pool, max(0.0, (now - was.launched_at).total_seconds()))

    def _due(self, known: Mapping[InstanceId, Instance], now: datetime) -> Targets:
        """Choose whom to probe: the stalest, and not all at once, so that probes do not come in bursts."""
        idle = [instance for instance in known.values() if instance.state is InstanceState.IDLE]
        self._probed = {one.id: self._probed.get(one.id, _Probed(one.ready_at)) for one in idle}
        due = [one for one in idle if self._probed[one.id].is_due(now)]
        share = max(10, ceil(len(idle) / 10))
        due.sort(key=lambda one: self._probed[one.id].at or one.state_since)
        return {one.id: (one.address, one.port) for one in due[:share] if one.address and one.port}

    def _recheck(self, asked: Targets) -> bool:
        answering = self._prober.probe(asked)
        if not self._mandate.trusted:
            return False
        now, changed = self._clock.now(), False
        for one in asked:
            failures = 0 if one in answering else self._probed[one].failures + 1
            self._probed[one] = _Probed(now, failures)
            if failures >= self._policy.probes_failed:
                reason = f"did not answer its probe {failures} times in a row"
                changed |= self._registry.withdraw(one, reason=reason, now=now)
        self._registry.note_probes(asked.keys() & answering, asked.keys() - answering, now=now)
        return changed


@dataclass(frozen=True, slots=True)
class _Probed:
    """When an idle instance was probed last, and how often in a row it did not answer."""

    at: datetime | None
    failures: int = 0

    def is_due(self, now: datetime) -> bool:
        """Whether to probe it again. A clock that was set back makes it due as well."""
        pause = RECHECK_FAILED if self.failures else RECHECK
        return self.at is None or not timedelta() <= now - self.at < pause


def _is(instance: Instance | None, state: InstanceState) -> bool:
    return instance is not None and instance.state is state


def _where(looks: Iterable[SeenInstance], policy: Policy) -> Targets:
    return {
        look.id: (look.address, look.port or policy.port)
        for look in looks
        if look.serviceable and look.address is not None
    }
