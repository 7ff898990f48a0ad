"""Is everything set up so that nothing is lost: one line for each thing that must be right."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from app.domain.errors import CloudError, PoolNotFound, SettingsInvalid
from app.domain.finding import Finding, Verdict
from app.domain.model import InstanceId, Lifecycle, PoolName, Power, SeenInstance
from app.ports import Clock, Cloud, Preflight, Prober
from app.settings import PoolSettings

PROBED = 20
"""So many instances are asked: enough to tell a closed port from a hanging editor."""

_REACH = "reachability of instances"


class Doctor:
    """Examines settings, database, and every pool. Changes nothing, and breaks at no symptom.

    `database` tells of the database, `warnings` are those of the settings.
    """

    def __init__(
        self,
        pools: Sequence["PoolDoctor"],
        *,
        warnings: Sequence[str],
        database: Callable[[], Iterable[Finding]],
    ) -> None:
        self._pools = pools
        self._warnings = warnings
        self._database = database

    def examine(self, only: PoolName | None = None) -> list[Finding]:
        """Tell of each thing whether it is right: the settings first, then the database, then each pool.

        With `only`, of that pool alone, and of what is common to all; raises PoolNotFound.
        """
        names = [one.config.name for one in self._pools]
        if only is not None and only not in names:
            raise PoolNotFound(f"The settings name no pool '{only}'. There are: {', '.join(sorted(names))}.")
        database = _guarded("database", self._database)
        found = [*self._settings(), *(finding for finding in database if finding.pool is None)]
        for one in self._pools:
            if only in {None, one.config.name}:
                if len(self._pools) > 1:
                    found.append(one.settings())
                found += (finding for finding in database if finding.pool == one.config.name)
                found += one.examine()
        return found

    def _settings(self) -> Iterator[Finding]:
        one, *others = self._pools
        told = one.summary() if not others else f"{len(self._pools)} pools, named in {one.config.file}"
        yield Finding(check="settings", verdict=Verdict.OK, detail=f"All are valid: {told}.")
        for warning in self._warnings:
            yield Finding(
                check="settings",
                verdict=Verdict.WARNING,
                detail=warning,
                remedy="Correct it in .env or the environment; all settings: docs/reference/settings.md",
            )


class PoolDoctor:
    """Examines AWS and the way to the instances for one pool."""

    def __init__(
        self, config: PoolSettings, *, preflight: Preflight, cloud: Cloud, prober: Prober, clock: Clock
    ) -> None:
        self.config = config
        self._policy = config.policy
        self._preflight = preflight
        self._cloud = cloud
        self._prober = prober
        self._clock = clock

    def examine(self) -> list[Finding]:
        """Tell of each thing whether it is right, AWS first."""
        findings = [
            *_guarded("AWS", lambda: self._preflight.examine(self._policy.buffer)),
            *_guarded(_REACH, lambda: [self._reach()]),
        ]
        return [replace(finding, pool=self.config.name) for finding in findings]

    def settings(self) -> Finding:
        """Tell what the pool is set to."""
        detail = f"The {self.summary()}."
        return Finding(check="settings", verdict=Verdict.OK, detail=detail, pool=self.config.name)

    def summary(self) -> str:
        """Tell in a few words what the pool is set to."""
        config = self.config
        return (
            f"group '{config.group}' in {config.region}, buffer {config.buffer}, "
            f"instances at their {config.address} address and port {config.port}"
        )

    def _reach(self) -> Finding:
        """Ask members that should answer. By the readiness probe alone: it does not count as a use."""
        config = self.config
        if config.readiness == "off":
            return _reach(Verdict.UNKNOWN, f"Not tried: {config.place('readiness')} is off.")
        try:
            seen = self._cloud.observe(())
        except CloudError as error:
            return _reach(Verdict.UNKNOWN, f"Not tried: AWS could not be looked at. {error.detail}")
        running = [
            look
            for look in seen.staying
            if look.lifecycle is Lifecycle.IN_SERVICE and look.power is Power.RUNNING
        ]
        if not running:
            return _reach(Verdict.UNKNOWN, "Not tried: no instance is in service and running.")
        addressed = [look for look in running if look.address is not None]
        if not addressed:
            other = "private" if config.address == "public" else "public"
            return _reach(
                Verdict.FAILURE,
                f"None of {len(running)} running instances has a {config.address} address.",
                f"Set {config.place('address')} to {other}, or give the instances {config.address} "
                "addresses.",
            )
        return self._asked(list(islice(sorted(addressed, key=_age), PROBED)))

    def _asked(self, looks: Sequence[SeenInstance]) -> Finding:
        targets = {
            look.id: (look.address, look.port or self._policy.port)
            for look in looks
            if look.address is not None
        }
        config = self.config
        ready = self._prober.probe(targets)
        detail = f"{len(ready)} of {len(targets)} answer at their {config.address} address."
        if len(ready) == len(targets):
            return _reach(Verdict.OK, detail)
        silent = _some([look.id for look in looks if look.id not in ready])
        if ready:
            return _reach(
                Verdict.WARNING,
                f"{detail} Silent: {silent}.",
                "The way is open: those may still be booting, or their editor hangs. See GET /status.",
            )
        host, port = next(iter(targets.values()))
        path = f", {config.place('readiness_path')}" if config.readiness == "http" else ""
        remedy = (
            f"Open port {port} to this machine in the security group; see that it reaches {config.address} "
            f"addresses ({config.place('address')}) and that the editor listens there "
            f"({config.place('port')}{path})."
        )
        if all(self._may_boot(look) for look in looks):
            return _reach(
                Verdict.WARNING,
                f"{detail} All were launched less than {_seconds(self._policy.boot_timeout)} ago: they may "
                "be booting.",
                f"Run this again in a few minutes. If it stays so: {remedy[0].lower()}{remedy[1:]}",
            )
        return _reach(Verdict.FAILURE, f"{detail} For one, {silent.split(',')[0]} at {host}:{port}.", remedy)

    def _may_boot(self, look: SeenInstance) -> bool:
        return (
            look.launched_at is not None and self._clock.now() - look.launched_at < self._policy.boot_timeout
        )


def settings_faults(error: SettingsInvalid) -> list[Finding]:
    """Tell each fault of the settings in a line of its own; nothing else can be examined then."""
    return [
        Finding(
            check="settings",
            verdict=Verdict.FAILURE,
            detail=fault,
            remedy="Correct it in .env or the environment; all settings: docs/reference/settings.md",
        )
        for fault in error.detail.splitlines()
    ]


def _guarded(check: str, examine: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(examine())
    except Exception as error:  # noqa: BLE001 - a doctor that dies of one symptom tells nothing of the others
        return [
            Finding(
                check=check,
                verdict=Verdict.UNKNOWN,
                detail=f"The check itself broke: {type(error).__name__}: {error}",
                remedy="This is a bug: please report it.",
            )
        ]


def _reach(verdict: Verdict, detail: str, remedy: str = "") -> Finding:
    return Finding(check=_REACH, verdict=verdict, detail=detail, remedy=remedy)


def _age(look: SeenInstance) -> tuple[bool, float, InstanceId]:
    """Order by launch, the oldest first: those have had the time to boot."""
    launched = look.launched_at
    return launched is None, 0.0 if launched is None else launched.timestamp(), look.id


def _some(instances: Sequence[InstanceId]) -> str:
    few = instances[:3]
    return ", ".join(few) + (" ..." if len(few) < len(instances) else "")


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():g} s"
