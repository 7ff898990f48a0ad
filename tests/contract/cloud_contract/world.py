"""A cloud under test, what a test makes happen behind its back, and how it waits for that."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from app.domain.model import InstanceId, Limit, Observation, SeenInstance
from app.ports import Cloud
from tests.waiting import until

NEVER_BORN = InstanceId("i-0fedcba9876543210")
A_MINUTE = timedelta(minutes=1)


class World(Protocol):
    """A cloud under test, and what a test makes happen behind its back."""

    @property
    def cloud(self) -> Cloud: ...

    @property
    def template(self) -> str:
        """What the group launches from: a launch template and its version, or a launch configuration."""

    def now(self) -> datetime:
        """Tell AWS's time."""

    def restarted(self) -> Cloud:
        """Return the port as a service has it that has just started and remembers nothing."""

    def kill(self, instance: InstanceId) -> None:
        """Terminate an instance in EC2, past the group."""

    def detach(self, instance: InstanceId) -> None:
        """Take a member out of the group and lower desired capacity with it; it keeps running."""

    def stranger(self) -> InstanceId:
        """Return a running instance that is a member of some other group, or of none."""

    def lives(self, instance: InstanceId) -> bool:
        """Tell whether EC2 still runs the instance."""

    def tags(self, instance: InstanceId) -> Mapping[str, str]:
        """Return the tags that EC2 has on the instance."""

    def write_tags(self, instance: InstanceId, project: str, at: str) -> None:
        """Write on an instance who holds it, and since when, past us."""

    def stray(self) -> InstanceId:
        """Return a running instance that has the group's tag, is no member, and may be found by now."""

    def run_out(self, limit: int, reason: Limit) -> None:
        """Let AWS give no more than so many instances, for this reason."""

    def set_desired(self, desired: int) -> None:
        """Write the group's desired capacity, past us."""

    def hide_figures(self) -> None:
        """Take away the permission to read the group's own figures; its members can still be read."""

    def suspend_launches(self) -> None:
        """Suspend the group's process Launch."""

    def deny(self, method: str) -> None:
        """Take away the permission for this method of the port."""

    def throttle(self, method: str) -> None:
        """Let AWS refuse every further call of this method of the port."""

    def throttle_details(self) -> None:
        """Let AWS throttle what the next look asks EC2; it asks where a member boots."""

    def lose_request(self, method: str) -> None:
        """Lose the next call of this method on its way to AWS, after the connection was made."""

    def lose_answer(self, method: str) -> None:
        """Let AWS carry out the next call of this method, and lose the answer."""


class Create(Protocol):
    """Builds a world with one group of these sizes; members boot and end quickly unless told otherwise."""

    def __call__(
        self,
        *,
        desired: int = 0,
        min_size: int = 0,
        max_size: int = 10,
        boots: bool = True,
        ends: bool = True,
        protects: bool = True,
        missing: bool = False,
    ) -> World: ...


Met = Callable[[Observation], bool]


def eventually(world: World, met: Met, *, account_for: Collection[InstanceId] = ()) -> Observation:
    """Look until a look meets the condition, and return that look."""
    looks: list[Observation] = []

    def look_again() -> bool:
        looks.append(world.cloud.observe(account_for))
        return met(looks[-1])

    until(look_again, within=30, what="a look that meets the condition")
    return looks[-1]


def serviceable(look: Observation) -> list[SeenInstance]:
    return [one for one in look.instances.values() if one.serviceable]


def in_service(world: World, count: int) -> list[InstanceId]:
    """Wait until this many members are serviceable and nothing else is a member; return their ids."""
    return list(
        eventually(world, lambda look: len(serviceable(look)) == count == len(look.instances)).instances
    )


def has_left(look: Observation, instance: InstanceId) -> bool:
    """Whether an observation no longer counts the instance in."""
    seen = look.instances.get(instance)
    return seen is None or seen.leaving or not seen.member
