"""The simulated cloud: its parts put together, started, stopped, and changed from outside."""

from collections.abc import Callable
from threading import Lock, RLock
from types import TracebackType
from typing import Any, Self

from app.simulator.account import Account, aws_application
from app.simulator.addresses import Addresses, OwnAddresses, addresses
from app.simulator.calls import Calls
from app.simulator.clock import steady
from app.simulator.config import CloudConfig
from app.simulator.control import control_application
from app.simulator.faults import Faults
from app.simulator.gate import Gate
from app.simulator.group import Group
from app.simulator.hypervisor import Hypervisor
from app.simulator.instances import PROJECT_TAG, SimulatedInstance
from app.simulator.machines import Machines
from app.simulator.server import Server
from app.simulator.worker import PageWorker, Worker, WorkerSpec


class SimulatedCloud:
    """AWS on this machine. A context manager: `with SimulatedCloud(config) as cloud: cloud.url`.

    start() raises OSError when a port is taken, and RuntimeError when the worker asked for is not installed.
    """

    def __init__(self, config: CloudConfig) -> None:
        self.config = config
        self.calls = Calls()
        self.faults = Faults(config.seed)
        self._lock = RLock()
        self._stepping = Lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The AWS endpoint."""
        return f"http://{self._server.host}:{self._server.port}"

    @property
    def one_address(self) -> bool:
        """True when instances share 127.0.0.1 and differ by port, announced by a tag."""
        return self._addresses.shared

    def start(self) -> None:
        """Build the world and answer; when it returns, the group exists."""
        config = self.config
        self._addresses = _addresses(config)
        self.machines = Machines(_employer(config))
        self._account = Account(config, self._addresses)
        self._hypervisor = Hypervisor(self._step)
        self._gate = Gate(
            aws_application(),
            control_application(self),
            account=self._account.id,
            lock=self._lock,
            calls=self.calls,
            faults=self.faults,
            latency=config.latency,
            wake=self._hypervisor.wake,
        )
        try:
            self._server = Server(config.host, config.port, self._gate)
        except OSError:
            self._account.end()
            raise
        self._server.start()
        self._hypervisor.start()

    def stop(self) -> None:
        """Stop answering, and every worker."""
        self._gate.close()
        self._server.stop()
        self._hypervisor.stop()
        self.machines.close()
        self._account.end()

    def reset(self) -> None:
        """Return to the start configuration; when it returns, no worker of the old world listens any more."""
        with self._lock:
            old = frozenset(instance.id for instance in self._account.ec2.listed())
            self._account.begin()
            self.calls.clear()
            self.faults.clear()
            self.machines.set_default("up")
        self._step(steady())
        self._hypervisor.wake()
        self.machines.wait_gone(old)

    # What the control API changes. None of it counts as an AWS call.

    def change_group(self, changes: dict[str, Any]) -> None:
        """Change sizes, protection of new instances, suspended processes, or how long things take."""
        with self._lock:
            group = self._account.group
            group.resize(changes.get("min"), changes.get("max"), changes.get("desired"))
            if "protect" in changes:
                group.new_instances_protected_from_scale_in = changes["protect"]
            if "suspended" in changes:
                group.suspended_processes = list(changes["suspended"])
            ec2 = self._account.ec2
            ec2.boot_seconds = changes.get("boot_seconds", ec2.boot_seconds)
            ec2.terminate_seconds = changes.get("terminate_seconds", ec2.terminate_seconds)
        self._hypervisor.wake()

    def create_group(self, name: str, *, minimum: int, maximum: int, desired: int) -> None:
        """Make one more group, as the first is but for its sizes."""
        self._change(
            lambda: self._account.create_group(name, minimum=minimum, maximum=maximum, desired=desired)
        )

    def delete_group(self, name: str) -> None:
        """Delete a group with all its members."""
        self._change(lambda: self._account.groups.delete_group(name, force=True))

    def limit_capacity(self, limit: int | None, kind: str) -> None:
        """Let AWS give at most so many live instances; None = as many as wanted."""
        with self._lock:
            self._account.capacity.set(limit, kind)
            for group in self._account.groups.all():
                group.hurry()
        self._hypervisor.wake()

    def knows(self, instance_id: str) -> bool:
        """Tell whether AWS lists this instance."""
        return self._account.ec2.get_instance_by_id(instance_id) is not None

    def terminate(self, instance_id: str) -> None:
        """Terminate behind the group's back, as a spot reclaim does."""
        self._change(lambda: self._account.ec2.shut_down(self._account.ec2.get_instance(instance_id)))

    def stop_instance(self, instance_id: str) -> None:
        """Stop behind the group's back."""
        self._change(lambda: self._account.ec2.stop_instances([instance_id]))

    def mark_unhealthy(self, instance_id: str) -> None:
        """Mark a member Unhealthy."""
        self._change(lambda: self._account.groups.set_instance_health(instance_id, "Unhealthy"))

    def lose(self, instance_id: str) -> None:
        """Let the group forget a member, which runs on with the group's tag: a leak."""
        self._change(lambda: self._account.groups.lose(instance_id))

    def state(self) -> dict[str, Any]:
        """Return all there is to see, as JSON has it."""
        with self._lock:
            members = {member.instance_id: member for _, member in self._account.groups.members()}
            ec2 = self._account.ec2
            instances = [self._describe(instance, members.get(instance.id)) for instance in ec2.listed()]
            return {
                "url": self.url,
                "group": self._describe_group(self._account.group),
                "groups": [self._describe_group(group) for group in self._account.groups.all()],
                "capacity": {"limit": ec2.capacity.limit, "kind": ec2.capacity.kind},
                "workers": {"mode": self.machines.default, "one_address": self.one_address},
                "instances": instances,
            }

    def _describe_group(self, group: Group) -> dict[str, Any]:
        ec2 = self._account.ec2
        return {
            "name": group.name,
            "min": group.min_size,
            "max": group.max_size,
            "desired": group.desired_capacity,
            "members": len(group.instance_states),
            "protect": group.new_instances_protected_from_scale_in,
            "suspended": [process["ProcessName"] for process in group.suspended_processes],
            "boot_seconds": ec2.boot_seconds,
            "terminate_seconds": ec2.terminate_seconds,
        }

    def _describe(self, instance: SimulatedInstance, member: Any) -> dict[str, Any]:
        running = instance.state == "running" and instance.place is not None
        return {
            "id": instance.id,
            "state": instance.state,
            "lifecycle": member.lifecycle_state if member else None,
            "health": member.health_status if member else None,
            "protected": member.protected_from_scale_in if member else None,
            "zone": instance.availability_zone,
            "address": instance.place.host if running and instance.place else None,
            "port": instance.place.port if running and instance.place else None,
            "worker": self.machines.status(instance.id),
            "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()},
        }

    def _change(self, change: Callable[[], object]) -> None:
        with self._lock:
            change()
        self._hypervisor.wake()

    def _step(self, now: float) -> float:
        """Let time pass under the lock, then see to the workers without it."""
        with self._stepping:  # or a step that saw the world before a reset would bring its workers back
            with self._lock:
                due = self._account.step(now)
                running = self._running()
            self.machines.settle(running)
        return due

    def _running(self) -> dict[str, WorkerSpec]:
        if self.config.worker == "none":
            return {}
        return {
            instance.id: self._spec(instance)
            for instance in self._account.ec2.listed()
            if instance.state == "running" and instance.place is not None
        }

    def _spec(self, instance: SimulatedInstance) -> WorkerSpec:
        ec2, instance_id, place = self._account.ec2, instance.id, instance.place
        assert place is not None  # noqa: S101 - the caller asked
        return WorkerSpec(
            instance_id,
            place.host,
            place.port,
            project=lambda: ec2.tag(instance_id, PROJECT_TAG),
            heartbeat_seconds=self.config.heartbeat_seconds,
        )


def _addresses(config: CloudConfig) -> Addresses:
    if config.worker == "none":
        return OwnAddresses(config.network, config.worker_port)
    return addresses(config.network, config.worker_port, one_address=config.one_address)


def _employer(config: CloudConfig) -> Callable[[WorkerSpec], Worker]:
    if config.worker != "code-server":
        return PageWorker
    from app.simulator import code_server  # noqa: PLC0415 - opt-in, and it needs what few have installed

    code_server.require_installed()
    return code_server.CodeServerWorker
