"""What is counted and timed, for those who watch the service."""

from enum import StrEnum
from typing import Protocol

from app.domain.model import EndReason, PoolName


class AllocationOutcome(StrEnum):
    """How a request for an instance ended."""

    WARM = "warm"
    """An idle instance was there, and the project has it."""
    WAITED = "waited"
    """The project has an instance, and waited in line for it."""
    REPEATED = "repeated"
    """The project held one already, and got the same."""
    EMPTY = "empty"
    """Nothing was idle, and nothing became so in the time that the request was ready to wait."""


class MessageOutcome(StrEnum):
    """How an attempt to send a message to the webhook ended."""

    DELIVERED = "delivered"
    """It was taken."""
    FAILED = "failed"
    """It was not taken, and is sent again later."""
    DEAD = "dead"
    """It was not taken, and is given up."""


class Meter(Protocol):
    """Takes note of what happened. Never raises, never waits, and costs microseconds; safe between threads.

    All times are in seconds.
    """

    def allocated(self, pool: PoolName, outcome: AllocationOutcome, took: float) -> None:
        """Note how a request for an instance of a pool ended, and how long it took with all its waiting."""
        ...

    def became_ready(self, pool: PoolName, took: float) -> None:
        """Note how long after its launch an instance was first ready to be handed out."""
        ...

    def ended(self, pool: PoolName, reason: EndReason) -> None:
        """Note an allocation that this service ended by itself."""
        ...

    def passed(self, pool: PoolName, *, succeeded: bool, took: float) -> None:
        """Note a pass; one that could not look at AWS, or was broken off, has not succeeded."""
        ...

    def aws_answered(self, action: str, outcome: str, took: float) -> None:
        """Note a call of AWS: its action ("ec2:DescribeInstances"), and "ok" or the code of our error."""
        ...

    def probed(self, pool: PoolName, *, ready: int, silent: int) -> None:
        """Note how many instances answered their probe, and how many did not."""
        ...

    def sent(self, outcome: MessageOutcome) -> None:
        """Note an attempt to send a message to the webhook."""
        ...

    def heard(self, pool: PoolName, *, told: int, silent: int) -> None:
        """Note how many allocated instances told when they were last used, and how many did not."""
        ...

    def leads(self, leading: bool) -> None:
        """Note whether this process leads."""
        ...

    def request_answered(self, method: str, route: str, status: int, took: float) -> None:
        """Note a request by its method, the rule of its route, and its status."""
        ...
