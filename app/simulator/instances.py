"""EC2: instances that take time to boot, to stop and to go, on top of moto's records of them."""

import copy
import math
import re
from collections.abc import Iterable
from typing import Any

from moto.ec2.exceptions import OperationNotPermitted4
from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Instance, InstanceState

from app.simulator import errors
from app.simulator.addresses import PORT_TAG, Addresses, Place
from app.simulator.capacity import Capacity
from app.simulator.clock import steady
from app.simulator.config import CloudConfig

IMAGE = "ami-00000000000000001"
PROJECT_TAG = "ec2-orchestrator:project"
INSTANCE_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
STATE_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
LEAVING = frozenset({"shutting-down", "terminated"})


class SimulatedInstance(Instance):  # type: ignore[misc] # moto has no types
    """One EC2 instance. It has a public address only while it runs, and no address once it is terminated."""

    place: Place | None

    def become(self, state: str) -> None:
        """Take on a state, and the addresses that belong to it."""
        self._state = InstanceState(state, STATE_CODES[state])
        running = self.place if state == "running" else None
        self.nics[0].public_ip = running.host if running else None

    @property
    def private_ip_address(self) -> str | None:
        """The address inside the VPC."""
        return None if self.state == "terminated" else str(self.nics[0].private_ip_address)

    @property
    def private_dns_name(self) -> str:
        """The name that belongs to the private address."""
        return "" if self.state == "terminated" else str(super().private_dns_name)

    @property
    def network_interfaces(self) -> list[Any]:
        """The interfaces, each with its addresses."""
        return [] if self.state == "terminated" else list(self.nics.values())


class Instances(EC2Backend):  # type: ignore[misc] # moto has no types
    """All instances of the account. Callers hold the cloud's lock: moto is not thread-safe.

    A change of state is begun by a call and finished by step(), when its time has come.
    """

    def __init__(self, config: CloudConfig, account: str, addresses: Addresses, capacity: Capacity) -> None:
        super().__init__(config.region, account)
        self.boot_seconds = config.boot_seconds
        self.terminate_seconds = config.terminate_seconds
        self.capacity = capacity
        self._config = config
        self._addresses = addresses
        self._known: dict[str, SimulatedInstance] = {}
        self._due: dict[str, tuple[float, str]] = {}

    @property
    def due(self) -> float:
        """When step() has something to do next; infinity when nothing is under way."""
        return min((at for at, _ in self._due.values()), default=math.inf)

    def step(self, now: float) -> None:
        """Finish every change of state whose time has come."""
        for instance_id, (at, state) in list(self._due.items()):
            if at <= now:
                del self._due[instance_id]
                self._arrive(self._known[instance_id], state, now)

    def listed(self) -> Iterable[SimulatedInstance]:
        """All instances AWS would list, in the order of their launch, terminated ones included."""
        return self._known.values()

    def tag(self, instance_id: str, key: str) -> str | None:
        """Return the value of one tag. Needs no lock."""
        value = self.tags.get(instance_id, {}).get(key)
        return None if value is None else str(value)

    def room(self) -> float:
        """How many more instances AWS would let us have; infinity when nothing limits us."""
        alive = sum(instance.state not in LEAVING for instance in self._known.values())
        return self.capacity.room(alive)

    def shut_down(self, instance: SimulatedInstance) -> None:
        """Begin to terminate; EC2 termination protection does not matter here (it binds the EC2 API only)."""
        if instance.state not in LEAVING:
            instance.become("shutting-down")
            self._schedule(instance, self.terminate_seconds, "terminated")

    # What moto calls from its own request handlers.

    def run_instances(self, *args: Any, **kwargs: Any) -> Any:
        """Launch; the new instances are pending for boot_seconds."""
        reservation = super().run_instances(*args, **kwargs)
        for instance in reservation.instances:
            self._enrol(instance)
        return reservation

    def terminate_instances(self, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        """Begin to terminate; return each instance with the state it had."""
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if instance.disable_api_termination:
                raise OperationNotPermitted4(instance.id)
        before = [(instance, copy.copy(instance.instance_state)) for instance in instances]
        for instance in instances:
            self.shut_down(instance)
        return before

    def stop_instances(self, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        """Begin to stop; return each instance with the state it had."""
        before = []
        for instance in self.get_multi_instances_by_id(instance_ids):
            before.append((instance, copy.copy(instance.instance_state)))
            if instance.state in {"pending", "running"}:
                instance.become("stopping")
                self._schedule(instance, self.terminate_seconds, "stopped")
        return before

    def start_instances(self, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        """Begin to boot again; return each instance with the state it had."""
        before = []
        for instance in self.get_multi_instances_by_id(instance_ids):
            before.append((instance, copy.copy(instance.instance_state)))
            if instance.state == "stopped":
                instance.become("pending")
                self._schedule(instance, self.boot_seconds, "running")
        return before

    def get_instance(self, instance_id: str) -> Any:
        """Return one instance. moto asks while it launches, too, before the instance is enrolled."""
        return self._known.get(instance_id) or super().get_instance(instance_id)

    def get_instance_by_id(self, instance_id: str) -> Any:
        """Return one instance, or None."""
        return self._known.get(instance_id)

    def get_multi_instances_by_id(self, instance_ids: list[str], filters: Any = None) -> list[Any]:
        """Return the instances, or refuse the whole call when one id is malformed or unknown."""
        for instance_id in instance_ids:
            if not INSTANCE_ID.fullmatch(instance_id):
                raise errors.malformed_instance(instance_id)
        unknown = [instance_id for instance_id in instance_ids if instance_id not in self._known]
        if unknown:
            raise errors.unknown_instances(unknown)
        found = [self._known[instance_id] for instance_id in instance_ids]
        return [instance for instance in found if instance.applies(filters)]

    def describe_tags(self, filters: dict[str, list[str]] | None = None) -> list[dict[str, str]]:
        """Return tags; those of one instance by look-up, where moto searches all tags of the account."""
        ids = (filters or {}).get("resource-id", [])
        if len(filters or {}) != 1 or len(ids) != 1 or ids[0] not in self._known:
            return list(super().describe_tags(filters))
        return [
            {"resource_id": ids[0], "resource_type": "instance", "key": key, "value": value}
            for key, value in self.tags.get(ids[0], {}).items()
        ]

    def _load_amis(self) -> None:
        """Know one image: moto's hundreds take most of the time of a start."""
        self.amis[IMAGE] = Ami(self, IMAGE, name="vscode", virtualization_type="hvm", architecture="x86_64")

    # The steps of one instance's life.

    def _enrol(self, instance: Any) -> None:
        # moto names the class of its instances itself; ours differs in behaviour only.
        instance.__class__ = SimulatedInstance
        nic = instance.nics[0]
        place = self._addresses.place(nic.private_ip_address)
        instance.place = place
        if place:
            nic.private_ip_address = place.host
            nic.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": place.host}]
            if self._addresses.shared:
                instance.add_tag(PORT_TAG, str(place.port))
        instance.become("pending")
        self._known[instance.id] = instance
        self._schedule(instance, self.boot_seconds, "running")

    def _schedule(self, instance: SimulatedInstance, seconds: float, state: str) -> None:
        self._due[instance.id] = (steady() + seconds, state)

    def _arrive(self, instance: SimulatedInstance, state: str, now: float) -> None:
        if state == "forgotten":
            self._forget(instance)
            return
        if state == "terminated":
            instance.terminate()  # moto frees what the instance held
            self._due[instance.id] = (now + self._config.retention_seconds, "forgotten")
        instance.become(state)

    def _forget(self, instance: SimulatedInstance) -> None:
        del self._known[instance.id]
        self.tags.pop(instance.id, None)
        for reservation in list(self.reservations.values()):
            if instance in reservation.instances:
                reservation.instances.remove(instance)
                if not reservation.instances:
                    del self.reservations[reservation.id]
        for nic in instance.nics.values():
            self.enis.pop(nic.id, None)
