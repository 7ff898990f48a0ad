"""What a simulated cloud is made of, checked once, when it is written down."""

import ipaddress
from dataclasses import dataclass
from typing import Literal, get_args

WorkerKind = Literal["page", "code-server", "none"]


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """The start configuration, to which a reset returns.

    Raises ValueError, with one sentence, when there cannot be such a cloud.
    Nothing of the simulated cloud may be reached from another machine: it has no authentication,
    and its control API destroys instances. So the bind and the network must be loopback.
    """

    bind: str = "127.0.0.1:9093"
    """HOST:PORT of the AWS endpoint; port 0 takes any free one."""
    region: str = "us-east-1"
    group: str = "vscode-asg"
    """The group that the control API is about where it names none."""
    more_groups: tuple[str, ...] = ()
    """Others beside it, with the same sizes."""
    min_size: int = 0
    max_size: int = 20
    desired: int = 0
    protect: bool = True
    """New instances are protected from scale-in (NewInstancesProtectedFromScaleIn)."""
    boot_seconds: float = 3.0
    """How long a new instance stays Pending."""
    terminate_seconds: float = 1.0
    """How long an instance takes to shut down or to stop."""
    replace_seconds: float = 1.0
    """How long an unhealthy instance stays in the group before it is replaced."""
    retry_seconds: float = 5.0
    """How soon the group tries again after a failed launch."""
    retention_seconds: float = 3600.0
    """How long a terminated instance is still listed by DescribeInstances."""
    latency: float = 0.0
    """Seconds that every AWS call takes longer."""
    worker: WorkerKind = "page"
    """What runs on an instance; `none` leaves it dark, for groups of thousands."""
    heartbeat_seconds: float = 60.0
    """How often the page of an instance notes that it is used: a minute, as code-server does."""
    worker_port: int = 8080
    network: str = "127.66.0.0/16"
    """Where instances get their addresses."""
    one_address: bool = False
    """Give all instances 127.0.0.1 and a port each, as where 127.0.0.2 is not up (macOS)."""
    seed: int = 0
    """Makes faults with a probability repeatable."""

    def __post_init__(self) -> None:
        self._check_addresses()
        self._check_sizes()
        if len({self.group, *self.more_groups}) <= len(self.more_groups):
            raise ValueError("two groups of one name cannot be")
        if self.worker not in get_args(WorkerKind):
            raise ValueError(f"worker must be one of {', '.join(get_args(WorkerKind))}, not {self.worker!r}")

    @property
    def host(self) -> str:
        """The address to listen on."""
        host = self.bind.rpartition(":")[0]
        return "127.0.0.1" if host == "localhost" else host

    @property
    def port(self) -> int:
        """The port to listen on; 0 = any free one."""
        return int(self.bind.rpartition(":")[2])

    def _check_addresses(self) -> None:
        try:
            host, port = ipaddress.IPv4Address(self.host), self.port
            network = ipaddress.IPv4Network(self.network)
        except ValueError as error:
            raise ValueError(
                f"bind must be HOST:PORT and network an IPv4 network such as 127.66.0.0/16: {error}"
            ) from error
        if not host.is_loopback:
            raise ValueError(f"bind must be a loopback address such as 127.0.0.1:9093, not {self.bind}")
        if not (network.is_loopback and 16 <= network.prefixlen <= 24):  # noqa: PLR2004 - a VPC is /16 at most
            raise ValueError(f"network must lie in 127.0.0.0/8 and be /16 to /24, not {self.network}")
        if not (0 <= port < 1 << 16 and 0 < self.worker_port < 1 << 16):
            raise ValueError("a port is a number from 1 to 65535 (0 only for bind: any free one)")

    def _check_sizes(self) -> None:
        if not 0 <= self.min_size <= self.desired <= self.max_size:
            raise ValueError(
                f"sizes must be 0 <= min <= desired <= max,"
                f" not min {self.min_size}, desired {self.desired}, max {self.max_size}"
            )
        for name in ("boot", "terminate", "replace", "retry", "retention", "heartbeat"):
            if getattr(self, f"{name}_seconds") < 0:
                raise ValueError(f"{name}-seconds must not be negative")
        if self.latency < 0:
            raise ValueError("latency must not be negative")
