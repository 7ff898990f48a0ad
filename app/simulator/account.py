"""One AWS account inside moto, with our EC2 and Auto Scaling in the places of moto's.

moto keeps its accounts in tables of the process. Each simulated cloud takes an account number of its own,
so several run side by side.
"""

import ipaddress
import itertools
from typing import Any

from flask import Flask
from moto.autoscaling.models import autoscaling_backends
from moto.core.utils import convert_to_flask_response
from moto.ec2.models import ec2_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from app.simulator.addresses import Addresses
from app.simulator.autoscaling_api import AutoScalingApi
from app.simulator.capacity import Capacity
from app.simulator.config import CloudConfig
from app.simulator.ec2_api import Ec2Api
from app.simulator.gate import WsgiApp
from app.simulator.groups import Groups
from app.simulator.instances import IMAGE, Instances

INSTANCE_TYPE = "t3.medium"
API: dict[str, Any] = {"ec2": Ec2Api, "autoscaling": AutoScalingApi}

_numbers = itertools.count(100_000_000_001)


class Account:
    """The world of one simulated cloud. Callers hold the cloud's lock."""

    def __init__(self, config: CloudConfig, addresses: Addresses) -> None:
        self.id = str(next(_numbers))
        self._config = config
        self._addresses = addresses
        self.begin()

    def begin(self) -> None:
        """Make the world anew: network, launch template, and the group."""
        region = self._config.region
        self.capacity = Capacity()
        self.ec2 = Instances(self._config, self.id, self._addresses, self.capacity)
        ec2_backends[self.id][region] = self.ec2
        self.groups = Groups(self._config, self.id, self.ec2)
        autoscaling_backends[self.id][region] = self.groups
        self._subnets, self._template = self._create_subnets(), self._create_template()
        config = self._config
        for name in (config.group, *config.more_groups):
            self.create_group(name, minimum=config.min_size, maximum=config.max_size, desired=config.desired)
        self.group = self.groups.group(config.group)

    def end(self) -> None:
        """Leave moto's tables."""
        ec2_backends.pop(self.id, None)
        autoscaling_backends.pop(self.id, None)

    def step(self, now: float) -> float:
        """Let time pass; return when the next thing happens."""
        self.ec2.step(now)
        self.groups.step(now)
        return min(self.ec2.due, self.groups.due)

    def _create_subnets(self) -> list[str]:
        vpc = self.ec2.create_vpc(self._config.network)
        halves = ipaddress.IPv4Network(self._config.network).subnets(prefixlen_diff=1)
        return [
            str(self.ec2.create_subnet(vpc.id, str(half), availability_zone=self._config.region + zone).id)
            for half, zone in zip(halves, "ab", strict=True)
        ]

    def _create_template(self) -> str:
        data = {"ImageId": IMAGE, "InstanceType": INSTANCE_TYPE}
        return str(self.ec2.create_launch_template(f"{self._config.group}-template", "", data, {}).id)

    def create_group(self, name: str, *, minimum: int, maximum: int, desired: int) -> None:
        """Make a group: protected from scale-in, AZRebalance suspended, EC2 health checks only."""
        self.groups.create_auto_scaling_group(
            name=name,
            availability_zones=[],
            desired_capacity=desired,
            max_size=maximum,
            min_size=minimum,
            launch_config_name=None,
            launch_template={"LaunchTemplateId": self._template, "Version": "$Latest"},
            vpc_zone_identifier=",".join(self._subnets),
            default_cooldown=None,
            health_check_period=0,
            health_check_type="EC2",
            load_balancers=[],
            target_group_arns=[],
            placement_group=None,
            termination_policies=[],
            tags=[{"Key": "managed-by", "Value": "ec2-orchestrator", "PropagateAtLaunch": True}],
            new_instances_protected_from_scale_in=self._config.protect,
        )
        self.groups.suspend_processes(name, ["AZRebalance"])


def aws_application() -> WsgiApp:
    """Return moto's server as a WSGI application, with our actions in the places of moto's."""

    def create(service: str) -> Flask:
        application: Flask = create_backend_app(service)
        if service in API:
            ours = convert_to_flask_response(API[service].dispatch)
            application.view_functions = dict.fromkeys(application.view_functions, ours)
        return application

    aws: WsgiApp = DomainDispatcherApplication(create)
    return aws
