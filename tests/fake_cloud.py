"""AWS in memory. Held to the same contract as the real gateway: tests/contract/test_cloud.py."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import RLock
from typing import Any

from app.domain.errors import AboveMax, AlreadyTagged, GroupMissing, OrchestratorError, Unexpected
from app.domain.model import Group, InstanceId, Lifecycle, Limit, Observation, Power, ProjectId, SeenInstance
from app.domain.setbacks import LaunchFailure
from app.ports import TerminateOutcome
from tests.builders import address_of, an_instance_id
from tests.fake_clock import FakeClock


@dataclass(frozen=True)
class _Failure:
    error: OrchestratorError
    after_effect: bool


@dataclass(frozen=True)
class _Gap:
    omitted: frozenset[InstanceId] = frozenset()
    complete: bool = True
    throttled: bool = False


@dataclass
class _Machine:
    """One EC2 instance, and for how many more looks it stays as it is; None means until it is told."""

    look: SeenInstance
    looks_left: int | None
    tags: dict[str, str] = field(default_factory=dict)
    stray: bool = False


_SENTENCES = {
    Limit.CAPACITY: "We currently do not have sufficient t3.medium capacity. Launching EC2 instance failed.",
    Limit.QUOTA: "Max spot instance count exceeded. Launching EC2 instance failed.",
    Limit.CONFIGURATION: "The key pair 'vscode' does not exist. Launching EC2 instance failed.",
}

AN_ARN = (
    "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:"
    "9f0c2f4e-6d3b-4a55-8c1e-2b7d5a90e6f1:autoScalingGroupName/fake"
)

_OF_THE_GROUP = {"observe", "raise_desired", "protect", "launch_failures"}
_PROTECTABLE = {"InService", "EnteringStandby", "Standby"}
_MOST_PROTECTED = 50
_GONE = {Power.ENDING, Power.TERMINATED}


class FakeCloud:
    """One Auto Scaling group in memory that behaves like AWS's.

    Time is counted in looks: a new member is pending for `boot_looks` of them (None: until `boot`), a
    terminated one is leaving for `end_looks`. Whatever happens, the group then launches or ends members until
    it has `desired` of them, as far as `capacity` (how many AWS can give), `launches` (the process Launch is
    not suspended) and scale-in protection let it. What is beyond `capacity` fails to launch, for the reason
    and in the words that `run_out` set: at each look again, once at a time of the clock.
    """

    def __init__(
        self,
        *,
        desired: int = 0,
        min_size: int = 0,
        max_size: int = 100,
        boot_looks: int | None = 1,
        end_looks: int = 1,
        protect_new: bool = True,
        template: str | None = "lt-fake:1",
        clock: FakeClock | None = None,
    ) -> None:
        self.desired = desired
        self.min_size = min_size
        self.max_size = max_size
        self.boot_looks = boot_looks
        self.end_looks = end_looks
        self.protect_new = protect_new
        self.template = template
        self.arn: str | None = AN_ARN
        self.capacity: int | None = None
        self.refusal = (Limit.CAPACITY, _SENTENCES[Limit.CAPACITY])
        self.launches = True
        self.group_exists = True
        self.figures_readable = True
        self.calls: list[tuple[Any, ...]] = []
        self.urgent_looks = 0
        self._clock = clock or FakeClock()
        self._machines: dict[InstanceId, _Machine] = {}
        self._failures: defaultdict[str, deque[_Failure]] = defaultdict(deque)
        self._gaps: deque[_Gap] = deque()
        self._stale_looks = 0
        self._launch_failures: deque[LaunchFailure] = deque(maxlen=100)
        self._last: Observation | None = None
        self._lock = RLock()
        self._settle()

    # The port.

    def observe(self, account_for: Collection[InstanceId], *, urgent: bool = False) -> Observation:
        self.urgent_looks += urgent
        with self._call("observe", frozenset(account_for)):
            if self._stale_looks and self._last is not None:
                self._stale_looks -= 1
                return self._last
            self._last = self._picture(account_for)
            self._pass_time()
            return self._last

    def raise_desired(self, target: int) -> bool:
        with self._call("raise_desired", target):
            if self.figures_readable and self.desired >= target:
                return False
            if target > self.max_size:
                raise AboveMax(f"{target} is above max value {self.max_size}.")
            if target < self.min_size:
                raise Unexpected(f"{target} is below min value {self.min_size}.")
            self.set_desired(target)
            return True

    def terminate(self, instance: InstanceId) -> TerminateOutcome:
        with self._call("terminate", instance):
            look = self.look(instance)
            if look is None or not look.member:
                return TerminateOutcome.ALREADY_GONE
            if look.lifecycle in {Lifecycle.LEAVING, Lifecycle.PENDING}:
                return TerminateOutcome.BUSY
            self._end(instance)
            self.set_desired(max(self.desired - 1, self.min_size))
            return TerminateOutcome.ACCEPTED

    def protect(self, instances: Collection[InstanceId]) -> None:
        with self._call("protect", frozenset(instances)):
            if len(instances) > _MOST_PROTECTED:
                raise Unexpected("The number of instance ids that may be passed in is limited to 50")
            for identity in instances:
                look = self.look(identity)
                if look is None or not look.member or look.raw_lifecycle not in _PROTECTABLE:
                    raise Unexpected(f"The instance {identity} is not in InService or Standby.")
            for identity in instances:
                self.change(identity, protected=True)

    def launch_failures(self, since: datetime) -> Sequence[LaunchFailure]:
        with self._call("launch_failures", since):
            return [failure for failure in self._launch_failures if failure.at >= since]

    def tag_allocation(self, instance: InstanceId, project: ProjectId, allocated_at: datetime) -> None:
        with self._call("tag_allocation", instance, project, allocated_at):
            look = self.look(instance)
            if look is None:
                raise Unexpected(f"The instance ID '{instance}' does not exist.")
            if look.holder not in {None, project}:
                raise AlreadyTagged(f"'{look.holder}' is on {instance} by now: '{project}' is not written.")
            self.write_tags(instance, project, allocated_at.astimezone(UTC))

    # What a test sees.

    @property
    def members(self) -> tuple[InstanceId, ...]:
        """The members that are not on their way out, oldest first."""
        return tuple(
            identity
            for identity, machine in self._machines.items()
            if machine.look.lifecycle not in {Lifecycle.LEAVING, Lifecycle.ABSENT}
        )

    def look(self, instance: InstanceId) -> SeenInstance | None:
        """Tell how an instance is at this moment; None where EC2 does not list it. No time passes."""
        machine = self._machines.get(instance)
        return machine.look if machine else None

    @property
    def lagging(self) -> bool:
        """Whether the next look will be answered with the one before it."""
        return self._stale_looks > 0

    def tags(self, instance: InstanceId) -> Mapping[str, str]:
        return dict(self._machines[instance].tags)

    def calls_of(self, operation: str) -> list[tuple[Any, ...]]:
        """List the arguments of every call of one port method so far, also of those that failed."""
        return [tuple(arguments) for name, *arguments in self.calls if name == operation]

    # What a test makes happen.

    def boot(self, *instances: InstanceId) -> None:
        """Put pending members in service now; all of them where none is named."""
        with self._lock:
            for identity in instances or self.members:
                if self._machines[identity].look.lifecycle is Lifecycle.PENDING:
                    self._enter_service(self._machines[identity])

    def kill(self, instance: InstanceId) -> None:
        """Terminate in EC2 behind the group's back: unhealthy for one look, then replaced."""
        self.change(instance, power=Power.TERMINATED, healthy=False)

    def detach(self, instance: InstanceId, *, decrement: bool = True) -> None:
        """Take a member out of the group; it keeps running."""
        self.change(instance, lifecycle=Lifecycle.ABSENT, raw_lifecycle="")
        self.set_desired(self.desired - decrement)

    def forget(self, instance: InstanceId) -> None:
        """Remove every trace of an instance, as EC2 does an hour after its end."""
        with self._lock:
            del self._machines[instance]
            self._settle()

    def stray(self) -> InstanceId:
        """Make an instance that has the group's tag and is no member. Looks show it until it is killed."""
        with self._lock:
            identity = an_instance_id()
            look = SeenInstance(
                id=identity, lifecycle=Lifecycle.ABSENT, power=Power.RUNNING, address=address_of(identity)
            )
            self._machines[identity] = _Machine(look=look, looks_left=None, stray=True)
            return identity

    def write_tags(self, instance: InstanceId, project: str, at: datetime | str) -> None:
        """Write on an instance who holds it, and since when, as anybody at AWS can: any text."""
        text = at if isinstance(at, str) else at.isoformat(timespec="milliseconds")
        with self._lock:
            self._machines[instance].tags |= {
                "ec2-orchestrator:project": project,
                "ec2-orchestrator:allocated-at": text,
            }
            self.change(instance, holder=project if project.strip() else None, held_since=_moment(text))

    def run_out(
        self, capacity: int | None, limit: Limit = Limit.CAPACITY, message: str | None = None
    ) -> None:
        """Let AWS give no more than so many members, and say why; None: as many as anybody wants."""
        with self._lock:
            self.capacity = capacity
            self.refusal = (limit, message or _SENTENCES[limit])
            self._settle()

    def change(self, instance: InstanceId, **fields: Any) -> None:
        """Set any field of what AWS shows of an instance."""
        with self._lock:
            machine = self._machines[instance]
            machine.look = replace(machine.look, **fields)

    def set_desired(self, desired: int) -> None:
        """Write desired capacity as anybody at AWS can: lower as well, and then unprotected members end."""
        with self._lock:
            self.desired = desired
            self._settle()

    def fail(
        self, operation: str, error: OrchestratorError, *, after_effect: bool = False, times: int = 1
    ) -> None:
        """Let the next calls of one port method fail, before anything happened or after everything did."""
        self._failures[operation].extend([_Failure(error, after_effect)] * times)

    def overlook(self, *instances: InstanceId, looks: int = 1) -> None:
        """Leave instances out of the next looks, which call themselves complete: AWS's lists lag."""
        self._gaps.extend([_Gap(frozenset(instances))] * looks)

    def cut_short(self, *instances: InstanceId, looks: int = 1) -> None:
        """Make the next looks incomplete, and leave instances out of them."""
        self._gaps.extend([_Gap(frozenset(instances), complete=False)] * looks)

    def throttle_details(self, looks: int = 1) -> None:
        """Let AWS throttle what the next looks ask EC2: they show what the looks before them knew."""
        self._gaps.extend([_Gap(complete=False, throttled=True)] * looks)

    def lag(self, looks: int = 1) -> None:
        """Answer the next looks with the one before them."""
        self._stale_looks += looks

    def recover(self, *operations: str) -> None:
        """Lift every failure that is still to come, of these port methods or of all, every gap and lag."""
        with self._lock:
            for operation in operations or tuple(self._failures):
                self._failures[operation].clear()
            self._gaps.clear()
            self._stale_looks = 0

    # How AWS behaves.

    @contextmanager
    def _call(self, operation: str, *arguments: Any) -> Iterator[None]:
        with self._lock:
            self.calls.append((operation, *arguments))
            failures = self._failures[operation]
            failure = failures.popleft() if failures else None
            if failure and not failure.after_effect:
                raise failure.error
            if not self.group_exists and operation in _OF_THE_GROUP:
                raise GroupMissing("The fake group does not exist.")
            yield
            if failure:
                raise failure.error

    def _picture(self, account_for: Collection[InstanceId]) -> Observation:
        gap = self._gaps.popleft() if self._gaps else _Gap()
        figures = Group(
            desired=self.desired,
            min_size=self.min_size,
            max_size=self.max_size,
            launches=self.launches,
            arn=self.arn,
        )
        return Observation(
            group=figures if self.figures_readable else Group(desired=None, min_size=None, max_size=None),
            instances={
                identity: self._without_ec2(machine.look) if gap.throttled else machine.look
                for identity, machine in self._machines.items()
                if identity not in gap.omitted
                and (
                    machine.look.member
                    or (identity in account_for and not gap.throttled)
                    or (machine.stray and not gap.throttled and machine.look.power not in _GONE)
                )
            },
            complete=gap.complete,
            throttled=gap.throttled,
        )

    def _without_ec2(self, look: SeenInstance) -> SeenInstance:
        """Show a member that EC2 cannot be asked about: as running only where that was known before."""
        known = self._last.instances.get(look.id) if self._last else None
        settled = known is not None and known.power is Power.RUNNING and known.address is not None
        settled = settled and look.lifecycle is Lifecycle.IN_SERVICE and look.healthy
        return replace(
            look,
            power=Power.RUNNING if settled else Power.UNKNOWN,
            address=known.address if known else None,
            port=known.port if known else None,
            holder=known.holder if known else None,
            held_since=known.held_since if known else None,
            launched_at=known.launched_at if known else None,
        )

    def _pass_time(self) -> None:
        for machine in self._machines.values():
            if machine.looks_left is not None and machine.looks_left > 0:
                machine.looks_left -= 1
            if machine.looks_left == 0:
                self._next_stage(machine)
        self._settle()

    def _next_stage(self, machine: _Machine) -> None:
        look = machine.look
        if look.lifecycle is Lifecycle.PENDING:
            self._enter_service(machine)
        elif look.lifecycle is Lifecycle.LEAVING:
            machine.look = replace(
                look, lifecycle=Lifecycle.ABSENT, power=Power.TERMINATED, raw_lifecycle="", address=None
            )
        elif look.lifecycle is Lifecycle.IN_SERVICE and not look.healthy:
            self._end(look.id)

    def _enter_service(self, machine: _Machine) -> None:
        machine.looks_left = 0
        machine.look = replace(
            machine.look,
            lifecycle=Lifecycle.IN_SERVICE,
            raw_lifecycle="InService",
            power=Power.RUNNING,
            protected=self.protect_new,
            address=address_of(machine.look.id),
        )

    def _end(self, instance: InstanceId) -> None:
        machine = self._machines[instance]
        gone = machine.look.power is Power.TERMINATED
        machine.looks_left = self.end_looks
        machine.look = replace(
            machine.look,
            lifecycle=Lifecycle.LEAVING,
            raw_lifecycle="Terminating",
            power=Power.TERMINATED if gone else Power.ENDING,
        )
        if not self.end_looks:
            self._next_stage(machine)

    def _settle(self) -> None:
        counted = [
            look
            for identity in self.members
            if (look := self._machines[identity].look).lifecycle is not Lifecycle.OTHER
        ]
        room = self.desired if self.capacity is None else min(self.desired, self.capacity)
        if self.launches and len(counted) < self.desired:
            for _ in range(room - len(counted)):
                self._launch()
            if room < self.desired:
                self._fail_launch()
        surplus = max(len(counted) - self.desired, 0)
        for victim in [look for look in counted if not look.protected][:surplus]:
            self._end(victim.id)

    def _launch(self) -> None:
        identity = an_instance_id()
        machine = _Machine(
            look=SeenInstance(
                id=identity,
                lifecycle=Lifecycle.PENDING,
                raw_lifecycle="Pending",
                power=Power.PENDING,
                zone="eu-west-1a",
                template=self.template,
                launched_at=self._clock.now(),
            ),
            looks_left=self.boot_looks,
        )
        self._machines[identity] = machine
        if self.boot_looks == 0:
            self._enter_service(machine)

    def _fail_launch(self) -> None:
        limit, message = self.refusal
        failure = LaunchFailure(limit=limit, message=message, at=self._clock.now(), zone="eu-west-1a")
        if failure not in self._launch_failures:
            self._launch_failures.appendleft(failure)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
